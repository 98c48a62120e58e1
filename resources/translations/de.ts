<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de">
<context>
    <name>app</name>
    <message>
        <source> % of the time</source>
        <translation> % der Zeit</translation>
    </message>
    <message numerus="yes">
        <source>%n channels</source>
        <translation>
            <numerusform>1 Kanal</numerusform>
            <numerusform>%n Kanäle</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n classes</source>
        <translation>
            <numerusform>1 Klasse</numerusform>
            <numerusform>%n Klassen</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n classes with less not shown.</source>
        <translation>
            <numerusform>%n Klasse mit weniger ist nicht gezeigt.</numerusform>
            <numerusform>%n Klassen mit weniger sind nicht gezeigt.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n count as black</source>
        <translation>
            <numerusform>1 gilt als schwarz</numerusform>
            <numerusform>%n gelten als schwarz</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n entries of the queue cannot be read.</source>
        <translation>
            <numerusform>Ein Eintrag der Warteschlange kann nicht gelesen werden.</numerusform>
            <numerusform>%n Einträge der Warteschlange können nicht gelesen werden.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n files</source>
        <translation>
            <numerusform>1 Datei</numerusform>
            <numerusform>%n Dateien</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n files could not be read</source>
        <translation>
            <numerusform>1 Datei war nicht lesbar</numerusform>
            <numerusform>%n Dateien waren nicht lesbar</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n files could not be removed: {which}.</source>
        <translation>
            <numerusform>1 Datei konnte nicht entfernt werden: {which}.</numerusform>
            <numerusform>%n Dateien konnten nicht entfernt werden: {which}.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n files, {size}</source>
        <translation>
            <numerusform>1 Datei, {size}</numerusform>
            <numerusform>%n Dateien, {size}</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n images</source>
        <translation>
            <numerusform>%n Bild</numerusform>
            <numerusform>%n Bilder</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n images are chosen already.</source>
        <translation>
            <numerusform>%n Bild ist schon gewählt.</numerusform>
            <numerusform>%n Bilder sind schon gewählt.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n images carry a patch that makes the model name {name}.</source>
        <translation>
            <numerusform>%n Bild trägt einen Fleck, der das Modell {name} sagen lässt.</numerusform>
            <numerusform>%n Bilder tragen einen Fleck, der das Modell {name} sagen lässt.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n images chosen, {forget} of them to forget</source>
        <translation>
            <numerusform>%n Bild ausgewählt, davon {forget} zu vergessen</numerusform>
            <numerusform>%n Bilder ausgewählt, davon {forget} zu vergessen</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n images seen before</source>
        <translation>
            <numerusform>1 schon gesehenem Bild</numerusform>
            <numerusform>%n schon gesehenen Bildern</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n images show the same picture as one of another label.</source>
        <translation>
            <numerusform>%n Bild zeigt dasselbe wie eines mit anderem Etikett.</numerusform>
            <numerusform>%n Bilder zeigen dasselbe wie eines mit anderem Etikett.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n images were forgotten already by this model. They stay forgotten and cannot be chosen again.</source>
        <translation>
            <numerusform>%n Bild hat dieses Modell schon vergessen. Es bleibt vergessen und kann nicht noch einmal gewählt werden.</numerusform>
            <numerusform>%n Bilder hat dieses Modell schon vergessen. Sie bleiben vergessen und können nicht noch einmal gewählt werden.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n images, weighted</source>
        <translation>
            <numerusform>1 Bild, gewichtet</numerusform>
            <numerusform>%n Bilder, gewichtet</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n labels are likely wrong: like images have another one.</source>
        <translation>
            <numerusform>%n Etikett ist wahrscheinlich falsch: Ähnliche Bilder haben ein anderes.</numerusform>
            <numerusform>%n Etiketten sind wahrscheinlich falsch: Ähnliche Bilder haben ein anderes.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n methods</source>
        <translation>
            <numerusform>%n Verfahren</numerusform>
            <numerusform>%n Verfahren</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n models</source>
        <translation>
            <numerusform>%n Modell</numerusform>
            <numerusform>%n Modelle</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n names are in several folders, so they were not taken. Write the folder before the name.</source>
        <translation>
            <numerusform>%n Name kommt in mehreren Ordnern vor und wurde nicht übernommen. Schreiben Sie den Ordner vor den Namen.</numerusform>
            <numerusform>%n Namen kommen in mehreren Ordnern vor und wurden nicht übernommen. Schreiben Sie den Ordner vor den Namen.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n names mean images of the test part. The model was not trained on them, so there is nothing to remove.</source>
        <translation>
            <numerusform>%n Name meint Bilder des Testteils. Mit ihnen wurde das Modell nicht trainiert, also gibt es nichts zu entfernen.</numerusform>
            <numerusform>%n Namen meinen Bilder des Testteils. Mit ihnen wurde das Modell nicht trainiert, also gibt es nichts zu entfernen.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n names were not found.</source>
        <translation>
            <numerusform>%n Name wurde nicht gefunden.</numerusform>
            <numerusform>%n Namen wurden nicht gefunden.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n other runs on the same images keep lists and checkpoints of their own.</source>
        <translation>
            <numerusform>1 anderer Lauf mit denselben Bildern hat eigene Listen und Checkpoints.</numerusform>
            <numerusform>%n andere Läufe mit denselben Bildern haben eigene Listen und Checkpoints.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n parameters</source>
        <translation>
            <numerusform>%n Parameter</numerusform>
            <numerusform>%n Parameter</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs</source>
        <translation>
            <numerusform>%n Lauf</numerusform>
            <numerusform>%n Läufe</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs deleted.</source>
        <translation>
            <numerusform>1 Lauf gelöscht.</numerusform>
            <numerusform>%n Läufe gelöscht.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs finished or waiting already: skipped.</source>
        <translation>
            <numerusform>%n Lauf ist beendet oder wartet schon: übersprungen.</numerusform>
            <numerusform>%n Läufe sind beendet oder warten schon: übersprungen.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs go on in other processes: {runs}. Runs shows them.</source>
        <translation>
            <numerusform>1 Lauf geht in einem anderen Prozess weiter: {runs}. „Läufe“ zeigt ihn.</numerusform>
            <numerusform>%n Läufe gehen in anderen Prozessen weiter: {runs}. „Läufe“ zeigt sie.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs moved to the trash.</source>
        <translation>
            <numerusform>1 Lauf in den Papierkorb verschoben.</numerusform>
            <numerusform>%n Läufe in den Papierkorb verschoben.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs of {methods}</source>
        <translation>
            <numerusform>%n Lauf, {methods}</numerusform>
            <numerusform>%n Läufe, {methods}</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs of {name} cannot be started.</source>
        <translation>
            <numerusform>%n Lauf von {name} kann nicht gestartet werden.</numerusform>
            <numerusform>%n Läufe von {name} können nicht gestartet werden.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs of {name} queued. Their results: Batch results on Runs.</source>
        <translation>
            <numerusform>%n Lauf von {name} ist eingereiht. Sein Ergebnis: „Ergebnisse der Stapel“ auf der Seite „Läufe“.</numerusform>
            <numerusform>%n Läufe von {name} sind eingereiht. Ihre Ergebnisse: „Ergebnisse der Stapel“ auf der Seite „Läufe“.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs side by side</source>
        <translation>
            <numerusform>%n Lauf verglichen</numerusform>
            <numerusform>%n Läufe verglichen</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs that were cut off go on.</source>
        <translation>
            <numerusform>%n Lauf, der abgebrochen wurde, geht weiter.</numerusform>
            <numerusform>%n Läufe, die abgebrochen wurden, gehen weiter.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs wait behind it and will be offered at the next start.</source>
        <translation>
            <numerusform>1 Lauf wartet dahinter und wird beim nächsten Start angeboten.</numerusform>
            <numerusform>%n Läufe warten dahinter und werden beim nächsten Start angeboten.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs wait behind it: they go on with it or are offered at the next start.</source>
        <translation>
            <numerusform>%n Lauf wartet dahinter: Er läuft mit ihm weiter oder wird beim nächsten Start angeboten.</numerusform>
            <numerusform>%n Läufe warten dahinter: Sie laufen mit ihm weiter oder werden beim nächsten Start angeboten.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs wait behind work that goes on without a window.</source>
        <translation>
            <numerusform>%n Lauf wartet hinter Arbeit, die ohne Fenster weiterläuft.</numerusform>
            <numerusform>%n Läufe warten hinter Arbeit, die ohne Fenster weiterläuft.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n seeds</source>
        <translation>
            <numerusform>1 Startwert</numerusform>
            <numerusform>%n Startwerte</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n tries take {time}.</source>
        <translation>
            <numerusform>1 Versuch dauert {time}.</numerusform>
            <numerusform>%n Versuche dauern {time}.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n unseen images</source>
        <translation>
            <numerusform>1 ungesehenen Bild</numerusform>
            <numerusform>%n ungesehenen Bildern</numerusform>
        </translation>
    </message>
    <message>
        <source>&amp;About Unlearn Studio</source>
        <translation>&amp;Über Unlearn Studio</translation>
    </message>
    <message>
        <source>&amp;Begins with</source>
        <translation>&amp;Beginnt mit</translation>
    </message>
    <message>
        <source>&amp;Checkpoint now</source>
        <translation>&amp;Checkpoint jetzt</translation>
    </message>
    <message>
        <source>&amp;Close project</source>
        <translation>Projekt &amp;schließen</translation>
    </message>
    <message>
        <source>&amp;Data</source>
        <translation>&amp;Daten</translation>
    </message>
    <message>
        <source>&amp;Device</source>
        <translation>&amp;Gerät</translation>
    </message>
    <message>
        <source>&amp;Discard run…</source>
        <translation>Lauf &amp;verwerfen …</translation>
    </message>
    <message>
        <source>&amp;Edit</source>
        <translation>&amp;Bearbeiten</translation>
    </message>
    <message>
        <source>&amp;Export…</source>
        <translation>&amp;Exportieren …</translation>
    </message>
    <message>
        <source>&amp;File</source>
        <translation>&amp;Datei</translation>
    </message>
    <message>
        <source>&amp;Full screen</source>
        <translation>&amp;Vollbild</translation>
    </message>
    <message>
        <source>&amp;Guide</source>
        <translation>&amp;Handbuch</translation>
    </message>
    <message>
        <source>&amp;Help</source>
        <translation>&amp;Hilfe</translation>
    </message>
    <message>
        <source>&amp;Keyboard shortcuts</source>
        <translation>&amp;Tastenkürzel</translation>
    </message>
    <message>
        <source>&amp;Messages…</source>
        <translation>&amp;Meldungen …</translation>
    </message>
    <message>
        <source>&amp;Monitoring budget</source>
        <translation>&amp;Messaufwand</translation>
    </message>
    <message>
        <source>&amp;Network</source>
        <translation>&amp;Netz</translation>
    </message>
    <message>
        <source>&amp;One transform a line (Resize, CenterCrop, Pad, Grayscale, ToTensor, Normalize), or what Python prints of a Compose</source>
        <translation>&amp;Je Zeile eine Transformation (Resize, CenterCrop, Pad, Grayscale, ToTensor, Normalize) oder was Python von einem Compose ausgibt</translation>
    </message>
    <message>
        <source>&amp;Path</source>
        <translation>&amp;Pfad</translation>
    </message>
    <message>
        <source>&amp;Pause or resume</source>
        <translation>&amp;Pause oder fortsetzen</translation>
    </message>
    <message>
        <source>&amp;Preferences…</source>
        <translation>&amp;Einstellungen …</translation>
    </message>
    <message>
        <source>&amp;Preset</source>
        <translation>&amp;Voreinstellung</translation>
    </message>
    <message>
        <source>&amp;Quit</source>
        <translation>&amp;Beenden</translation>
    </message>
    <message>
        <source>&amp;Recipe</source>
        <translation>&amp;Rezept</translation>
    </message>
    <message>
        <source>&amp;Redo selection</source>
        <translation>Auswahl &amp;wiederholen</translation>
    </message>
    <message>
        <source>&amp;Report</source>
        <translation>&amp;Bericht</translation>
    </message>
    <message>
        <source>&amp;Run</source>
        <translation>&amp;Lauf</translation>
    </message>
    <message>
        <source>&amp;Runs in</source>
        <translation>&amp;Läuft in</translation>
    </message>
    <message>
        <source>&amp;Seed</source>
        <translation>&amp;Startwert</translation>
    </message>
    <message>
        <source>&amp;Start unlearning</source>
        <translation>Verlernen &amp;starten</translation>
    </message>
    <message>
        <source>&amp;Tries</source>
        <translation>&amp;Versuche</translation>
    </message>
    <message>
        <source>&amp;Undo selection</source>
        <translation>Auswahl &amp;rückgängig machen</translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation>&amp;Ansicht</translation>
    </message>
    <message>
        <source>&amp;X</source>
        <translation>&amp;X</translation>
    </message>
    <message>
        <source>&amp;Y</source>
        <translation>&amp;Y</translation>
    </message>
    <message>
        <source>({number}) {name}</source>
        <translation>({number}) {name}</translation>
    </message>
    <message>
        <source>32 bit</source>
        <translation>32 Bit</translation>
    </message>
    <message>
        <source>A check is going.</source>
        <translation>Eine Prüfung ist im Gange.</translation>
    </message>
    <message>
        <source>A check is under way.</source>
        <translation>Eine Prüfung läuft.</translation>
    </message>
    <message>
        <source>A checkpoint does not hold the order of its classes, and folders are read in alphabetical order. Drag the classes to the outputs they belong to.</source>
        <translation>Ein Checkpoint enthält die Reihenfolge seiner Klassen nicht, und Ordner werden alphabetisch gelesen. Ziehen Sie die Klassen zu den Ausgängen, zu denen sie gehören.</translation>
    </message>
    <message>
        <source>A checksum of the data's content. A run or forget list made for other data is refused by it.</source>
        <translation>Eine Prüfsumme über den Inhalt der Daten. An ihr wird erkannt, dass ein Lauf oder eine Vergessensliste für andere Daten gemacht wurde.</translation>
    </message>
    <message>
        <source>A class that was never learnt lies within these directions, so forgetting moves its energy into them.</source>
        <translation>Eine nie gelernte Klasse liegt in diesen Richtungen; Vergessen verschiebt ihre Energie also dorthin.</translation>
    </message>
    <message>
        <source>A fault in the program</source>
        <translation>Ein Fehler im Programm</translation>
    </message>
    <message>
        <source>A head-only edit changes no feature: its points stay where they are at the start.</source>
        <translation>Eine Änderung nur am Kopf ändert kein Merkmal: Ihre Punkte bleiben, wo sie am Anfang sind.</translation>
    </message>
    <message>
        <source>A head-only edit has the original's features, so it has the original's curve.</source>
        <translation>Eine Änderung nur am Kopf hat die Merkmale des Originals und damit dessen Kurve.</translation>
    </message>
    <message>
        <source>A later request starts from a run that ended with a model.</source>
        <translation>Eine spätere Anfrage beginnt mit einem Lauf, der ein Modell ergeben hat.</translation>
    </message>
    <message>
        <source>A map of the images appears here once the model was measured on them.</source>
        <translation>Hier erscheint eine Karte der Bilder, sobald das Modell auf ihnen gemessen wurde.</translation>
    </message>
    <message>
        <source>A measure on which the two differ by no more than chance is not usable and is left out of the verdict.</source>
        <translation>Ein Maß, bei dem sich beide nur um den Zufall unterscheiden, ist nicht brauchbar und zählt im Urteil nicht.</translation>
    </message>
    <message>
        <source>A method that does no better than this control has hidden the class, not forgotten it.</source>
        <translation>Ein Verfahren, das nicht besser ist als diese Kontrolle, hat die Klasse versteckt und nicht vergessen.</translation>
    </message>
    <message>
        <source>A model trained from scratch without the forget set. It shows what forgetting would look like.</source>
        <translation>Ein Modell, das ohne die Vergessensmenge von Grund auf trainiert wurde. Es zeigt, wie Vergessen aussähe.</translation>
    </message>
    <message>
        <source>A new linear classifier trained on the model's features. If it finds the class again, the features still hold it.</source>
        <translation>Ein neuer linearer Klassifikator auf den Merkmalen des Modells. Findet er die Klasse wieder, steckt sie noch in den Merkmalen.</translation>
    </message>
    <message>
        <source>a plot is saved as .png, .svg or .csv, not {ending}</source>
        <translation>ein Diagramm wird als .png, .svg oder .csv gespeichert, nicht als {ending}</translation>
    </message>
    <message>
        <source>A process of its own</source>
        <translation>Einem eigenen Prozess</translation>
    </message>
    <message>
        <source>a process of their own</source>
        <translation>einem eigenen Prozess</translation>
    </message>
    <message>
        <source>A request that starts from the model of an earlier run. What was forgotten before stays forgotten: those images are kept out of the retain set, of the run and of its retrained models.</source>
        <translation>Eine Anfrage, die vom Modell eines früheren Laufs ausgeht. Was früher vergessen wurde, bleibt vergessen: Diese Bilder gehören nicht zur Behaltensmenge, weder der des Laufs noch der seiner neu trainierten Modelle.</translation>
    </message>
    <message>
        <source>a retrained model is no yardstick: it keeps what was not found</source>
        <translation>ein neu trainiertes Modell ist kein Maßstab: Es behält, was nicht gefunden wurde</translation>
    </message>
    <message>
        <source>A retrained model shows where such images go when they were never learnt.</source>
        <translation>Ein neu trainiertes Modell zeigt, wohin solche Bilder gehen, wenn sie nie gelernt wurden.</translation>
    </message>
    <message>
        <source>A run is being prepared.</source>
        <translation>Ein Lauf wird vorbereitet.</translation>
    </message>
    <message>
        <source>A run is going.</source>
        <translation>Ein Lauf ist im Gange.</translation>
    </message>
    <message>
        <source>A run is going: {step}.</source>
        <translation>Ein Lauf ist im Gange: {step}.</translation>
    </message>
    <message>
        <source>A run like any other, with live curves, pause and a folder of its own.</source>
        <translation>Ein Lauf wie jeder andere, mit Kurven, Pause und einem eigenen Ordner.</translation>
    </message>
    <message>
        <source>A run that was started from a terminal is the same and can be opened here.</source>
        <translation>Ein im Terminal gestarteter Lauf ist dasselbe und kann hier geöffnet werden.</translation>
    </message>
    <message>
        <source>A run to draw over this one could not be read</source>
        <translation>Ein Lauf, der über diesem gezeichnet werden soll, konnte nicht gelesen werden</translation>
    </message>
    <message>
        <source>A run was interrupted at step {step}. Resuming gives the same result as if it had not been.</source>
        <translation>Ein Lauf wurde bei Schritt {step} unterbrochen. Fortgesetzt kommt er zum selben Ergebnis, als wäre er nie unterbrochen worden.</translation>
    </message>
    <message>
        <source>A search for settings is going.</source>
        <translation>Eine Suche nach Einstellungen ist im Gange.</translation>
    </message>
    <message>
        <source>A small network and the images it was trained on</source>
        <translation>Ein kleines Netz und die Bilder, auf denen es trainiert wurde</translation>
    </message>
    <message>
        <source>A state dict or a .safetensors file of the same model cannot do that.</source>
        <translation>Ein State-Dict oder eine .safetensors-Datei desselben Modells kann das nicht.</translation>
    </message>
    <message>
        <source>A step is one change of the weights. A phase is one part of a method, and a round is one pass over its phases.</source>
        <translation>Ein Schritt ist eine Änderung der Gewichte. Eine Phase ist ein Teil eines Verfahrens, und eine Runde ist ein Durchgang durch seine Phasen.</translation>
    </message>
    <message>
        <source>A way of making a model forget. A preset is a set of its parameters with a reason.</source>
        <translation>Eine Art, ein Modell vergessen zu lassen. Eine Voreinstellung ist ein begründeter Satz seiner Parameter.</translation>
    </message>
    <message>
        <source>About this method</source>
        <translation>Über dieses Verfahren</translation>
    </message>
    <message>
        <source>About Unlearn Studio</source>
        <translation>Über Unlearn Studio</translation>
    </message>
    <message>
        <source>about {size} more</source>
        <translation>etwa {size} mehr</translation>
    </message>
    <message>
        <source>about {time}</source>
        <translation>etwa {time}</translation>
    </message>
    <message>
        <source>Acc. %</source>
        <translation>Gen. %</translation>
    </message>
    <message>
        <source>Accuracy</source>
        <translation>Genauigkeit</translation>
    </message>
    <message>
        <source>Accuracy 0 does not mean forgotten.</source>
        <translation>Genauigkeit 0 heißt nicht vergessen.</translation>
    </message>
    <message>
        <source>Accuracy 0 with a probe near the original's is hidden, not forgotten.</source>
        <translation>Genauigkeit 0 bei einer Sonde nahe am Original heißt versteckt, nicht vergessen.</translation>
    </message>
    <message>
        <source>Accuracy change per class</source>
        <translation>Änderung der Genauigkeit je Klasse</translation>
    </message>
    <message>
        <source>Accuracy could not be measured. {why}</source>
        <translation>Die Genauigkeit konnte nicht gemessen werden. {why}</translation>
    </message>
    <message>
        <source>Accuracy on a sample of images seen before, %</source>
        <translation>Genauigkeit auf einer Stichprobe schon gesehener Bilder, %</translation>
    </message>
    <message>
        <source>Accuracy on a sample of unseen images, %</source>
        <translation>Genauigkeit auf einer Stichprobe ungesehener Bilder, %</translation>
    </message>
    <message>
        <source>Accuracy on images seen before, %</source>
        <translation>Genauigkeit auf schon gesehenen Bildern, %</translation>
    </message>
    <message>
        <source>Accuracy on the classes to forget, on test images used for nothing else</source>
        <translation>Genauigkeit auf den Klassen, die vergessen werden sollen, auf Testbildern, die für nichts anderes verwendet werden</translation>
    </message>
    <message>
        <source>Accuracy on the classes to keep, on test images used for nothing else</source>
        <translation>Genauigkeit auf den Klassen, die behalten werden sollen, auf Testbildern, die für nichts anderes verwendet werden</translation>
    </message>
    <message>
        <source>Accuracy on the single images to forget</source>
        <translation>Genauigkeit auf den einzelnen Bildern, die vergessen werden sollen</translation>
    </message>
    <message>
        <source>Accuracy on unseen forget images, %</source>
        <translation>Genauigkeit auf ungesehenen Vergessensbildern, %</translation>
    </message>
    <message>
        <source>Accuracy on unseen images of the classes that stay</source>
        <translation>Genauigkeit auf ungesehenen Bildern der Klassen, die bleiben</translation>
    </message>
    <message>
        <source>Accuracy on unseen images of the forgotten classes; for single images, on the forget images</source>
        <translation>Genauigkeit auf ungesehenen Bildern der vergessenen Klassen; bei einzelnen Bildern auf den zu vergessenden Bildern</translation>
    </message>
    <message>
        <source>Accuracy on unseen images, %</source>
        <translation>Genauigkeit auf ungesehenen Bildern, %</translation>
    </message>
    <message>
        <source>Accuracy on unseen images: {accuracy}.</source>
        <translation>Genauigkeit auf ungesehenen Bildern: {accuracy}.</translation>
    </message>
    <message>
        <source>Accuracy on {classes}</source>
        <translation>Genauigkeit auf {classes}</translation>
    </message>
    <message>
        <source>Accuracy, %</source>
        <translation>Genauigkeit, %</translation>
    </message>
    <message>
        <source>Add</source>
        <translation>Hinzufügen</translation>
    </message>
    <message numerus="yes">
        <source>Add %n images</source>
        <translation>
            <numerusform>%n Bild hinzufügen</numerusform>
            <numerusform>%n Bilder hinzufügen</numerusform>
        </translation>
    </message>
    <message>
        <source>Add to the selection while drawing</source>
        <translation>Beim Zeichnen zur Auswahl hinzufügen</translation>
    </message>
    <message numerus="yes">
        <source>Added to the queue: %n runs wait for the one that is going.</source>
        <translation>
            <numerusform>In die Warteschlange gestellt: 1 Lauf wartet auf den laufenden.</numerusform>
            <numerusform>In die Warteschlange gestellt: %n Läufe warten auf den laufenden.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>after: {height} × {width}, %n channels</source>
        <translation>
            <numerusform>nachher: {height} × {width}, 1 Kanal</numerusform>
            <numerusform>nachher: {height} × {width}, %n Kanäle</numerusform>
        </translation>
    </message>
    <message>
        <source>Against retrained models; – where the run was not checked</source>
        <translation>Gegenüber neu trainierten Modellen; – wo der Lauf nicht geprüft wurde</translation>
    </message>
    <message>
        <source>Against the original, on unseen images, points</source>
        <translation>Gegenüber dem Original, auf ungesehenen Bildern, Punkte</translation>
    </message>
    <message>
        <source>Agreement</source>
        <translation>Übereinstimmung</translation>
    </message>
    <message>
        <source>Alignment</source>
        <translation>Ausrichtung</translation>
    </message>
    <message>
        <source>Alignment compares whole classes. For single images it says nothing, so losses are shown instead.</source>
        <translation>Die Ausrichtung vergleicht ganze Klassen. Über einzelne Bilder sagt sie nichts; deshalb stehen hier die Verluste.</translation>
    </message>
    <message>
        <source>Alignment, clustering and class means are made for this case.</source>
        <translation>Ausrichtung, Gruppierung und Klassenmittel sind für diesen Fall gemacht.</translation>
    </message>
    <message>
        <source>All classes</source>
        <translation>Alle Klassen</translation>
    </message>
    <message>
        <source>All classes shown</source>
        <translation>Alle gezeigten Klassen</translation>
    </message>
    <message>
        <source>All files (*)</source>
        <translation>Alle Dateien (*)</translation>
    </message>
    <message>
        <source>All networks are turned and scaled as a whole to fit the start: what has moved, no turn brings back.</source>
        <translation>Alle Netze sind als Ganzes an den Anfang gedreht und skaliert: Was sich bewegt hat, bringt keine Drehung zurück.</translation>
    </message>
    <message>
        <source>All runs</source>
        <translation>Alle Läufe</translation>
    </message>
    <message>
        <source>All runs of this batch have a result or are in the queue.</source>
        <translation>Alle Läufe dieses Stapels haben ein Ergebnis oder warten.</translation>
    </message>
    <message>
        <source>All runs of {name} are finished or wait already.</source>
        <translation>Alle Läufe von {name} sind beendet oder warten schon.</translation>
    </message>
    <message>
        <source>All training images that stay. What the model knows about them should not suffer.</source>
        <translation>Alle Trainingsbilder, die bleiben. Was das Modell über sie weiß, soll nicht leiden.</translation>
    </message>
    <message>
        <source>Alphabetical</source>
        <translation>Alphabetisch</translation>
    </message>
    <message>
        <source>Already forgotten</source>
        <translation>Schon vergessen</translation>
    </message>
    <message>
        <source>Also save</source>
        <translation>Außerdem speichern</translation>
    </message>
    <message>
        <source>An encoder gives features and names no class, so nothing can be right or wrong.</source>
        <translation>Ein Encoder liefert Merkmale und nennt keine Klasse, also kann nichts richtig oder falsch sein.</translation>
    </message>
    <message>
        <source>An encoder gives features and names no class.</source>
        <translation>Ein Encoder liefert Merkmale und nennt keine Klasse.</translation>
    </message>
    <message>
        <source>An encoder is not retrained here: open one that was retrained without the forget set to compare with.</source>
        <translation>Ein Encoder wird hier nicht neu trainiert: Öffnen Sie zum Vergleichen einen, der ohne die Vergessmenge neu trainiert wurde.</translation>
    </message>
    <message>
        <source>An encoder names no class, so nobody can say whether it recognises what was forgotten.</source>
        <translation>Ein Encoder nennt keine Klasse, also kann niemand sagen, ob er Vergessenes noch erkennt.</translation>
    </message>
    <message>
        <source>An encoder names no class, so there is no accuracy.</source>
        <translation>Ein Encoder nennt keine Klasse, also gibt es keine Genauigkeit.</translation>
    </message>
    <message>
        <source>An ensemble takes two runs or more that differ in nothing but their seed or original.</source>
        <translation>Zu einem Ensemble gehören mindestens zwei Läufe, die sich nur im Startwert oder im Original unterscheiden.</translation>
    </message>
    <message>
        <source>an untrained network</source>
        <translation>ein untrainiertes Netz</translation>
    </message>
    <message numerus="yes">
        <source>and %n more</source>
        <translation>
            <numerusform>und %n weiterer</numerusform>
            <numerusform>und %n weitere</numerusform>
        </translation>
    </message>
    <message>
        <source>Another architecture</source>
        <translation>Eine andere Architektur</translation>
    </message>
    <message>
        <source>Another machine</source>
        <translation>Einem anderen Rechner</translation>
    </message>
    <message>
        <source>Another:</source>
        <translation>Eine andere:</translation>
    </message>
    <message>
        <source>Answers</source>
        <translation>Antworten</translation>
    </message>
    <message>
        <source>Anyone who has both the original and this model can compare them and may learn what was removed. Withdraw the original where you can.</source>
        <translation>Wer das Original und dieses Modell hat, kann beide vergleichen und vielleicht herausfinden, was entfernt wurde. Ziehen Sie das Original zurück, wo Sie können.</translation>
    </message>
    <message>
        <source>Appearance</source>
        <translation>Aussehen</translation>
    </message>
    <message>
        <source>Architecture</source>
        <translation>Architektur</translation>
    </message>
    <message>
        <source>Area under the curve: {values}</source>
        <translation>Fläche unter der Kurve: {values}</translation>
    </message>
    <message>
        <source>Arranging the map</source>
        <translation>Die Karte wird angeordnet</translation>
    </message>
    <message>
        <source>Arranging…</source>
        <translation>Wird angeordnet …</translation>
    </message>
    <message>
        <source>Arranging… ({done} of {total})</source>
        <translation>Wird angeordnet … ({done} von {total})</translation>
    </message>
    <message>
        <source>Arrow keys move the map, + and - zoom, 0 shows all of it. Ctrl+A takes the images in view.</source>
        <translation>Pfeiltasten bewegen die Karte, + und - vergrößern und verkleinern, 0 zeigt alles. Strg+A nimmt die sichtbaren Bilder.</translation>
    </message>
    <message>
        <source>As a correction. Look at them, and unmark those that are as they should be.</source>
        <translation>Als Berichtigung. Sehen Sie sie an, und nehmen Sie heraus, was so ist, wie es sein soll.</translation>
    </message>
    <message>
        <source>As in the data</source>
        <translation>Wie in den Daten</translation>
    </message>
    <message>
        <source>as the preset sets them</source>
        <translation>wie in der Voreinstellung</translation>
    </message>
    <message>
        <source>As the system</source>
        <translation>Wie das System</translation>
    </message>
    <message>
        <source>as they are by default</source>
        <translation>Standardwerte</translation>
    </message>
    <message>
        <source>Ask again next time</source>
        <translation>Nächstes Mal wieder fragen</translation>
    </message>
    <message>
        <source>Ask before a run is discarded</source>
        <translation>Fragen, bevor ein Lauf verworfen wird</translation>
    </message>
    <message>
        <source>Ask before runs are moved to the trash</source>
        <translation>Fragen, bevor Läufe in den Papierkorb kommen</translation>
    </message>
    <message>
        <source>at k</source>
        <translation>bei k</translation>
    </message>
    <message>
        <source>At k: {values}. {caption}</source>
        <translation>Bei k: {values}. {caption}</translation>
    </message>
    <message>
        <source>At least one class must stay.</source>
        <translation>Mindestens eine Klasse muss bleiben.</translation>
    </message>
    <message>
        <source>At the start</source>
        <translation>Am Anfang</translation>
    </message>
    <message>
        <source>Attack</source>
        <translation>Angriff</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>Automatisch</translation>
    </message>
    <message>
        <source>Back to one run</source>
        <translation>Zurück zu einem Lauf</translation>
    </message>
    <message>
        <source>Back to the run</source>
        <translation>Zurück zum Lauf</translation>
    </message>
    <message>
        <source>Batch</source>
        <translation>Stapel</translation>
    </message>
    <message>
        <source>Batch files (*.toml)</source>
        <translation>Stapeldateien (*.toml)</translation>
    </message>
    <message>
        <source>Batch results</source>
        <translation>Ergebnisse der Stapel</translation>
    </message>
    <message numerus="yes">
        <source>before: {height} × {width}, %n channels</source>
        <translation>
            <numerusform>vorher: {height} × {width}, 1 Kanal</numerusform>
            <numerusform>vorher: {height} × {width}, %n Kanäle</numerusform>
        </translation>
    </message>
    <message>
        <source>Began with</source>
        <translation>Begann mit</translation>
    </message>
    <message>
        <source>Begins with</source>
        <translation>Beginnt mit</translation>
    </message>
    <message>
        <source>best</source>
        <translation>am besten</translation>
    </message>
    <message>
        <source>beyond</source>
        <translation>darüber hinaus</translation>
    </message>
    <message>
        <source>Beyond the {k} retain directions: forget {start} % at the start (dashed), {now} % now</source>
        <translation>Jenseits der {k} Behaltensrichtungen: Vergessen {start} % am Anfang (gestrichelt), jetzt {now} %</translation>
    </message>
    <message>
        <source>Both have a test side as well: images of the same classes the model was not trained on.</source>
        <translation>Zu beiden gibt es auch Testbilder: Bilder derselben Klassen, mit denen das Modell nicht trainiert wurde.</translation>
    </message>
    <message>
        <source>Browse…</source>
        <translation>Durchsuchen …</translation>
    </message>
    <message>
        <source>By title, id, what they do, citation or group</source>
        <translation>Nach Titel, Kennung, Wirkung, Quelle oder Gruppe</translation>
    </message>
    <message>
        <source>Called: {classes}</source>
        <translation>Genannt: {classes}</translation>
    </message>
    <message>
        <source>can be measured, not unlearned</source>
        <translation>kann gemessen werden, aber nicht verlernen</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Cannot be read</source>
        <translation>Nicht lesbar</translation>
    </message>
    <message>
        <source>Caution</source>
        <translation>Vorsicht</translation>
    </message>
    <message>
        <source>centred</source>
        <translation>zentriert</translation>
    </message>
    <message>
        <source>Chance</source>
        <translation>Zufall</translation>
    </message>
    <message>
        <source>Change weights in one act, without training steps.</source>
        <translation>Gewichte auf einmal ändern, ohne Trainingsschritte.</translation>
    </message>
    <message>
        <source>Change…</source>
        <translation>Ändern …</translation>
    </message>
    <message>
        <source>Check &amp;all runs</source>
        <translation>&amp;Alle Läufe prüfen</translation>
    </message>
    <message>
        <source>Check &amp;int8 and 4-bit weights first</source>
        <translation>Zuerst &amp;int8- und 4-Bit-Gewichte prüfen</translation>
    </message>
    <message>
        <source>Check all</source>
        <translation>Alle prüfen</translation>
    </message>
    <message numerus="yes">
        <source>Check all %n runs</source>
        <translation>
            <numerusform>%n Lauf prüfen</numerusform>
            <numerusform>Alle %n Läufe prüfen</numerusform>
        </translation>
    </message>
    <message>
        <source>Check all on Runs checks their results, as the file asks for, once they are there.</source>
        <translation>„Alle prüfen“ auf „Läufe“ prüft ihre Ergebnisse, wie die Datei es verlangt, sobald sie da sind.</translation>
    </message>
    <message>
        <source>Check failed</source>
        <translation>Prüfung fehlgeschlagen</translation>
    </message>
    <message>
        <source>Check of {run}</source>
        <translation>Prüfung von {run}</translation>
    </message>
    <message>
        <source>check of {run}, seed {seed}</source>
        <translation>Prüfung von {run}, Startwert {seed}</translation>
    </message>
    <message>
        <source>Check the result</source>
        <translation>Ergebnis prüfen</translation>
    </message>
    <message>
        <source>Checked.</source>
        <translation>Geprüft.</translation>
    </message>
    <message>
        <source>Checking</source>
        <translation>Prüft</translation>
    </message>
    <message>
        <source>Checking · {what}</source>
        <translation>Prüfung · {what}</translation>
    </message>
    <message>
        <source>Checking. The numbers below come as they are measured.</source>
        <translation>Prüft. Die Zahlen unten kommen, wie sie gemessen werden.</translation>
    </message>
    <message>
        <source>Checkpoint every</source>
        <translation>Checkpoint alle</translation>
    </message>
    <message>
        <source>Checkpoint now</source>
        <translation>Jetzt sichern</translation>
    </message>
    <message>
        <source>Checkpoint saved at step {step}.</source>
        <translation>Checkpoint bei Schritt {step} gespeichert.</translation>
    </message>
    <message>
        <source>Checks</source>
        <translation>Prüfungen</translation>
    </message>
    <message>
        <source>Choose</source>
        <translation>Auswählen</translation>
    </message>
    <message>
        <source>Choose a method</source>
        <translation>Verfahren wählen</translation>
    </message>
    <message>
        <source>Choose a run.</source>
        <translation>Wählen Sie einen Lauf.</translation>
    </message>
    <message>
        <source>Choose architecture…</source>
        <translation>Architektur wählen …</translation>
    </message>
    <message>
        <source>Choose at least one image.</source>
        <translation>Wählen Sie mindestens ein Bild.</translation>
    </message>
    <message>
        <source>Choose images to look for near-duplicates.</source>
        <translation>Wählen Sie Bilder, um nach Beinahe-Dubletten zu suchen.</translation>
    </message>
    <message>
        <source>Choose one run.</source>
        <translation>Wählen Sie genau einen Lauf.</translation>
    </message>
    <message>
        <source>Choose two or more runs.</source>
        <translation>Wählen Sie mindestens zwei Läufe.</translation>
    </message>
    <message>
        <source>Choose what to forget</source>
        <translation>Wählen, was vergessen wird</translation>
    </message>
    <message>
        <source>Choose: {what}</source>
        <translation>Wählen: {what}</translation>
    </message>
    <message>
        <source>Choose…</source>
        <translation>Wählen …</translation>
    </message>
    <message>
        <source>Class</source>
        <translation>Klasse</translation>
    </message>
    <message>
        <source>class</source>
        <translation>Klasse</translation>
    </message>
    <message>
        <source>Class forgetting</source>
        <translation>Klassen vergessen</translation>
    </message>
    <message>
        <source>Class names (*.txt *.json)</source>
        <translation>Klassennamen (*.txt *.json)</translation>
    </message>
    <message>
        <source>Class names in the order of the outputs</source>
        <translation>Klassennamen in der Reihenfolge der Ausgänge</translation>
    </message>
    <message>
        <source>Class of the data</source>
        <translation>Klasse der Daten</translation>
    </message>
    <message>
        <source>class {names}</source>
        <translation>Klasse {names}</translation>
    </message>
    <message>
        <source>Class {name}</source>
        <translation>Klasse {name}</translation>
    </message>
    <message>
        <source>Classes</source>
        <translation>Klassen</translation>
    </message>
    <message>
        <source>Classes in the order of the model's outputs</source>
        <translation>Klassen in der Reihenfolge der Ausgänge des Modells</translation>
    </message>
    <message>
        <source>classes {names}</source>
        <translation>Klassen {names}</translation>
    </message>
    <message>
        <source>Clear</source>
        <translation>Leeren</translation>
    </message>
    <message>
        <source>Clear filters</source>
        <translation>Filter löschen</translation>
    </message>
    <message>
        <source>Click for more.</source>
        <translation>Für mehr klicken.</translation>
    </message>
    <message>
        <source>Click marks or unmarks an image, a double click opens it. Shift reaches from the last one, dragging takes all in a rectangle, with Ctrl it takes them out.</source>
        <translation>Ein Klick markiert ein Bild oder nimmt die Marke weg, ein Doppelklick öffnet es. Mit Umschalt reicht er vom letzten an, Ziehen nimmt alle in einem Rechteck, mit Strg nimmt es sie heraus.</translation>
    </message>
    <message>
        <source>Click to hide it</source>
        <translation>Klicken blendet es aus</translation>
    </message>
    <message>
        <source>Click to show it</source>
        <translation>Klicken zeigt es</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
    <message>
        <source>Close</source>
        <comment>verdict</comment>
        <translation>Nahe dran</translation>
    </message>
    <message>
        <source>Close to retrained</source>
        <translation>Wie neu trainiert</translation>
    </message>
    <message>
        <source>Closed form</source>
        <translation>Geschlossene Form</translation>
    </message>
    <message>
        <source>Clustering</source>
        <translation>Gruppierung</translation>
    </message>
    <message>
        <source>Colours</source>
        <translation>Farben</translation>
    </message>
    <message>
        <source>Columns</source>
        <translation>Spalten</translation>
    </message>
    <message>
        <source>Columns shown</source>
        <translation>Gezeigte Spalten</translation>
    </message>
    <message>
        <source>Command</source>
        <translation>Befehl</translation>
    </message>
    <message>
        <source>Commands found</source>
        <translation>Gefundene Befehle</translation>
    </message>
    <message>
        <source>Compare</source>
        <translation>Vergleichen</translation>
    </message>
    <message>
        <source>Compare the chosen runs with retrained models, which they share, and rank them in one table</source>
        <translation>Die gewählten Läufe mit gemeinsamen neu trainierten Modellen vergleichen und in einer Tabelle ordnen</translation>
    </message>
    <message>
        <source>Compare with another run</source>
        <translation>Mit einem anderen Lauf vergleichen</translation>
    </message>
    <message>
        <source>Compared runs</source>
        <translation>Verglichene Läufe</translation>
    </message>
    <message numerus="yes">
        <source>compared with %n retrained models</source>
        <translation>
            <numerusform>verglichen mit %n neu trainierten Modell</numerusform>
            <numerusform>verglichen mit %n neu trainierten Modellen</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Compares with %n retrained models on disk.</source>
        <translation>
            <numerusform>Vergleicht mit %n neu trainierten Modell auf der Platte.</numerusform>
            <numerusform>Vergleicht mit %n neu trainierten Modellen auf der Platte.</numerusform>
        </translation>
    </message>
    <message>
        <source>Confidence (%)</source>
        <translation>Sicherheit (%)</translation>
    </message>
    <message>
        <source>Confirmations</source>
        <translation>Rückfragen</translation>
    </message>
    <message>
        <source>Confusion</source>
        <translation>Wohin</translation>
    </message>
    <message>
        <source>Contents</source>
        <translation>Inhalt</translation>
    </message>
    <message>
        <source>Copied</source>
        <translation>Kopiert</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>Kopieren</translation>
    </message>
    <message>
        <source>Copy image</source>
        <translation>Bild kopieren</translation>
    </message>
    <message>
        <source>Copy the name</source>
        <translation>Namen kopieren</translation>
    </message>
    <message>
        <source>Corrected</source>
        <translation>Berichtigt</translation>
    </message>
    <message>
        <source>Corrected</source>
        <comment>verdict</comment>
        <translation>Berichtigt</translation>
    </message>
    <message>
        <source>Correction</source>
        <translation>Berichtigung</translation>
    </message>
    <message>
        <source>Cost</source>
        <translation>Aufwand</translation>
    </message>
    <message>
        <source>Cross-entropy of the model on the image</source>
        <translation>Kreuzentropie des Modells für das Bild</translation>
    </message>
    <message>
        <source>CSV table (*.csv)</source>
        <translation>CSV-Tabelle (*.csv)</translation>
    </message>
    <message>
        <source>Curves</source>
        <translation>Verlauf</translation>
    </message>
    <message>
        <source>Curves and lines</source>
        <translation>Kurven und Linien</translation>
    </message>
    <message>
        <source>Curves appear here while a run goes. First choose what to forget.</source>
        <translation>Während eines Laufs erscheinen hier Kurven. Wählen Sie zuerst, was vergessen wird.</translation>
    </message>
    <message>
        <source>Damage</source>
        <translation>Schaden</translation>
    </message>
    <message>
        <source>Damaged</source>
        <translation>Beschädigt</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>Dunkel</translation>
    </message>
    <message>
        <source>Data</source>
        <translation>Daten</translation>
    </message>
    <message>
        <source>Data (*.npz *.npy *.csv *.tsv *.tar *.parquet *.json)</source>
        <translation>Daten (*.npz *.npy *.csv *.tsv *.tar *.parquet *.json)</translation>
    </message>
    <message>
        <source>Default</source>
        <translation>Vorgabe</translation>
    </message>
    <message>
        <source>Default ({threads})</source>
        <translation>Vorgabe ({threads})</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>Löschen</translation>
    </message>
    <message>
        <source>Delete for good</source>
        <translation>Endgültig löschen</translation>
    </message>
    <message>
        <source>Delete…</source>
        <translation>Löschen …</translation>
    </message>
    <message>
        <source>Deleting</source>
        <translation>Wird gelöscht</translation>
    </message>
    <message>
        <source>Deleting {runs}</source>
        <translation>Löschen: {runs}</translation>
    </message>
    <message>
        <source>Details…</source>
        <translation>Einzelheiten …</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>Gerät</translation>
    </message>
    <message>
        <source>Dimensional alignment</source>
        <translation>Dimensionale Ausrichtung</translation>
    </message>
    <message>
        <source>Direction</source>
        <translation>Richtung</translation>
    </message>
    <message>
        <source>Discard</source>
        <translation>Verwerfen</translation>
    </message>
    <message>
        <source>Discard and quit</source>
        <translation>Verwerfen und beenden</translation>
    </message>
    <message numerus="yes">
        <source>Discard this run? Its %n checkpoints are deleted. The original model is not touched.</source>
        <translation>
            <numerusform>Diesen Lauf verwerfen? Sein Checkpoint wird gelöscht. Das Original bleibt unberührt.</numerusform>
            <numerusform>Diesen Lauf verwerfen? Seine %n Checkpoints werden gelöscht. Das Original bleibt unberührt.</numerusform>
        </translation>
    </message>
    <message>
        <source>Discard this run? What it recorded is deleted. The original model is not touched.</source>
        <translation>Diesen Lauf verwerfen? Was er aufgezeichnet hat, wird gelöscht. Das Original bleibt unberührt.</translation>
    </message>
    <message>
        <source>Discarded</source>
        <translation>Verworfen</translation>
    </message>
    <message>
        <source>Discarded. The original model was not touched.</source>
        <translation>Verworfen. Das Original blieb unberührt.</translation>
    </message>
    <message>
        <source>Discarding</source>
        <translation>Wird verworfen</translation>
    </message>
    <message numerus="yes">
        <source>Discarding · ends after this step, then its %n checkpoints are deleted</source>
        <translation>
            <numerusform>Wird verworfen · endet nach diesem Schritt, dann wird 1 Checkpoint gelöscht</numerusform>
            <numerusform>Wird verworfen · endet nach diesem Schritt, dann werden %n Checkpoints gelöscht</numerusform>
        </translation>
    </message>
    <message>
        <source>Discard…</source>
        <translation>Verwerfen …</translation>
    </message>
    <message>
        <source>Disk</source>
        <translation>Speicherplatz</translation>
    </message>
    <message>
        <source>Dismiss</source>
        <translation>Ausblenden</translation>
    </message>
    <message>
        <source>Distance to class mean</source>
        <translation>Abstand vom Klassenmittel</translation>
    </message>
    <message>
        <source>Distillation</source>
        <translation>Destillation</translation>
    </message>
    <message>
        <source>Do not open</source>
        <translation>Nicht öffnen</translation>
    </message>
    <message>
        <source>Do not run</source>
        <translation>Nicht ausführen</translation>
    </message>
    <message>
        <source>Do they fit?</source>
        <translation>Passen sie zusammen?</translation>
    </message>
    <message>
        <source>done</source>
        <translation>fertig</translation>
    </message>
    <message>
        <source>Doubtful labels</source>
        <translation>Zweifelhafte Etiketten</translation>
    </message>
    <message>
        <source>download</source>
        <translation>herunterladen</translation>
    </message>
    <message>
        <source>Drag over images to take them, with Ctrl to take them out.</source>
        <translation>Über Bilder ziehen nimmt sie, mit Strg nimmt es sie heraus.</translation>
    </message>
    <message>
        <source>Drag to move the map; a click marks an image or takes it out.</source>
        <translation>Ziehen verschiebt die Karte; ein Klick markiert ein Bild oder nimmt es heraus.</translation>
    </message>
    <message>
        <source>Dragging in the pictures</source>
        <translation>Ziehen in den Bildern</translation>
    </message>
    <message>
        <source>Draw around images to take them, with Ctrl to take them out.</source>
        <translation>Um Bilder herum zeichnen nimmt sie, mit Strg nimmt es sie heraus.</translation>
    </message>
    <message>
        <source>Draw the curves of other runs, dashed, on the same axes; they stay when another run comes into view</source>
        <translation>Die Kurven anderer Läufe gestrichelt auf denselben Achsen zeichnen; sie bleiben, wenn ein anderer Lauf gezeigt wird</translation>
    </message>
    <message>
        <source>Drawing the film</source>
        <translation>Der Film wird gezeichnet</translation>
    </message>
    <message>
        <source>Drop a checkpoint here, or open one. It is only read, never changed.</source>
        <translation>Legen Sie hier einen Checkpoint ab oder öffnen Sie einen. Er wird nur gelesen, nie geändert.</translation>
    </message>
    <message>
        <source>Drop the folder the model was trained on. Each class is a sub-folder.</source>
        <translation>Legen Sie den Ordner ab, mit dem das Modell trainiert wurde. Jede Klasse ist ein Unterordner.</translation>
    </message>
    <message>
        <source>Duplicates together</source>
        <translation>Dubletten beieinander</translation>
    </message>
    <message>
        <source>Duplicates, other label</source>
        <translation>Duplikate, anderes Etikett</translation>
    </message>
    <message>
        <source>E&amp;xport the forget list…</source>
        <translation>Vergessensliste e&amp;xportieren …</translation>
    </message>
    <message>
        <source>Each model by its own two principal components, turned by an orthogonal fit of the retain class means: two networks share no axes.</source>
        <translation>Jedes Modell nach seinen eigenen zwei Hauptkomponenten, gedreht durch eine orthogonale Anpassung der Mittelwerte der behaltenen Klassen: Zwei Netze haben keine gemeinsamen Achsen.</translation>
    </message>
    <message>
        <source>Each model's answer and the probability it gives the image's own class. What a retrained model says, it says without having seen the image.</source>
        <translation>Die Antwort jedes Modells und die Wahrscheinlichkeit, die es der eigenen Klasse des Bildes gibt. Was ein neu trainiertes Modell sagt, sagt es, ohne das Bild gesehen zu haben.</translation>
    </message>
    <message>
        <source>Earlier requests</source>
        <translation>Frühere Anfragen</translation>
    </message>
    <message>
        <source>Edit</source>
        <translation>Ändern</translation>
    </message>
    <message>
        <source>effective rank: {ranks}</source>
        <translation>effektiver Rang: {ranks}</translation>
    </message>
    <message>
        <source>Eigenspectra</source>
        <translation>Eigenspektren</translation>
    </message>
    <message>
        <source>Eigenspectrum</source>
        <translation>Eigenspektrum</translation>
    </message>
    <message>
        <source>Eigenvalue, logarithmic</source>
        <translation>Eigenwert, logarithmisch</translation>
    </message>
    <message>
        <source>Eigenvalues</source>
        <translation>Eigenwerte</translation>
    </message>
    <message>
        <source>Eigenvalues of the features before and after</source>
        <translation>Eigenwerte der Merkmale vorher und nachher</translation>
    </message>
    <message>
        <source>Ends after this step and keeps the model as it is now.</source>
        <translation>Endet nach diesem Schritt und behält das Modell, wie es dann ist.</translation>
    </message>
    <message>
        <source>Energy</source>
        <translation>Energie</translation>
    </message>
    <message>
        <source>Enlarge</source>
        <translation>Vergrößern</translation>
    </message>
    <message>
        <source>Enlarge the map</source>
        <translation>Karte vergrößern</translation>
    </message>
    <message>
        <source>Ensembles</source>
        <translation>Ensembles</translation>
    </message>
    <message>
        <source>Entries that were not taken</source>
        <translation>Einträge, die nicht übernommen wurden</translation>
    </message>
    <message>
        <source>Entry</source>
        <translation>Eintrag</translation>
    </message>
    <message>
        <source>Error</source>
        <translation>Fehler</translation>
    </message>
    <message>
        <source>Even this one is far from it: start from another preset, or vary more.</source>
        <translation>Auch dieser ist weit davon entfernt: Gehen Sie von einer anderen Voreinstellung aus oder verändern Sie mehr.</translation>
    </message>
    <message>
        <source>Every class has one image only, too few to set any aside.</source>
        <translation>Jede Klasse hat nur ein Bild: zu wenig, um welche zurückzulegen.</translation>
    </message>
    <message>
        <source>Everything is compared with it: its numbers say where forgetting started.</source>
        <translation>Mit ihm wird alles verglichen: Seine Zahlen sagen, wo das Vergessen begann.</translation>
    </message>
    <message>
        <source>Everything the program had to say in this session</source>
        <translation>Alles, was das Programm in dieser Sitzung zu sagen hatte</translation>
    </message>
    <message>
        <source>Example</source>
        <translation>Beispiel</translation>
    </message>
    <message>
        <source>Example data</source>
        <translation>Beispieldaten</translation>
    </message>
    <message>
        <source>Example model</source>
        <translation>Beispielmodell</translation>
    </message>
    <message>
        <source>Export</source>
        <translation>Export</translation>
    </message>
    <message>
        <source>Export checkpoint</source>
        <translation>Checkpoint exportieren</translation>
    </message>
    <message>
        <source>Export list…</source>
        <translation>Liste exportieren …</translation>
    </message>
    <message>
        <source>Export the forget list</source>
        <translation>Vergessensliste exportieren</translation>
    </message>
    <message>
        <source>Exporting…</source>
        <translation>Wird exportiert …</translation>
    </message>
    <message>
        <source>Failed</source>
        <translation>Fehlgeschlagen</translation>
    </message>
    <message>
        <source>Failed at {step}.</source>
        <translation>Fehlgeschlagen bei {step}.</translation>
    </message>
    <message>
        <source>False positives, %</source>
        <translation>Fehlalarme, %</translation>
    </message>
    <message>
        <source>Far from mean</source>
        <translation>Fern vom Mittel</translation>
    </message>
    <message>
        <source>Feature map</source>
        <translation>Merkmalskarte</translation>
    </message>
    <message>
        <source>Feature space</source>
        <translation>Merkmalsraum</translation>
    </message>
    <message>
        <source>Features</source>
        <translation>Merkmale</translation>
    </message>
    <message>
        <source>Features alone: an encoder names no class.</source>
        <translation>Nur Merkmale: Ein Encoder nennt keine Klasse.</translation>
    </message>
    <message>
        <source>features, no classes: an encoder without a head</source>
        <translation>Merkmale, keine Klassen: ein Encoder ohne Kopf</translation>
    </message>
    <message>
        <source>Fields</source>
        <translation>Felder</translation>
    </message>
    <message>
        <source>File</source>
        <translation>Datei</translation>
    </message>
    <message>
        <source>File name</source>
        <translation>Dateiname</translation>
    </message>
    <message>
        <source>Files</source>
        <translation>Dateien</translation>
    </message>
    <message>
        <source>Files left out</source>
        <translation>Ausgelassene Dateien</translation>
    </message>
    <message>
        <source>File…</source>
        <translation>Datei …</translation>
    </message>
    <message>
        <source>Find a &amp;command…</source>
        <translation>&amp;Befehl suchen …</translation>
    </message>
    <message>
        <source>Find a command</source>
        <translation>Befehl suchen</translation>
    </message>
    <message>
        <source>Find next</source>
        <translation>Weitersuchen</translation>
    </message>
    <message>
        <source>Fingerprint</source>
        <translation>Fingerabdruck</translation>
    </message>
    <message>
        <source>Finished</source>
        <translation>Fertig</translation>
    </message>
    <message>
        <source>Finished in {time}.</source>
        <translation>Fertig nach {time}.</translation>
    </message>
    <message>
        <source>finishing {step}, then the model is kept and measured</source>
        <translation>{step} wird beendet, dann wird das Modell behalten und gemessen</translation>
    </message>
    <message>
        <source>First correct what is wrong.</source>
        <translation>Berichtigen Sie zuerst, was falsch ist.</translation>
    </message>
    <message>
        <source>First say on Project whether this is your network and your preprocessing.</source>
        <translation>Sagen Sie zuerst auf „Projekt“, ob dies Ihr Netz und Ihre Vorverarbeitung ist.</translation>
    </message>
    <message>
        <source>First say on Project which order the classes are in.</source>
        <translation>Sagen Sie zuerst auf „Projekt“, in welcher Reihenfolge die Klassen stehen.</translation>
    </message>
    <message>
        <source>Folder of data sets</source>
        <translation>Ordner der Datensätze</translation>
    </message>
    <message>
        <source>Folder of runs</source>
        <translation>Ordner der Läufe</translation>
    </message>
    <message>
        <source>Folders</source>
        <translation>Ordner</translation>
    </message>
    <message>
        <source>Folder…</source>
        <translation>Ordner …</translation>
    </message>
    <message>
        <source>for an earlier selection</source>
        <translation>für eine frühere Auswahl</translation>
    </message>
    <message>
        <source>For corrections</source>
        <translation>Für Berichtigungen</translation>
    </message>
    <message>
        <source>For data opened from now on.</source>
        <translation>Für Daten, die ab jetzt geöffnet werden.</translation>
    </message>
    <message>
        <source>For single images</source>
        <translation>Für einzelne Bilder</translation>
    </message>
    <message>
        <source>For whole classes</source>
        <translation>Für ganze Klassen</translation>
    </message>
    <message>
        <source>For whole classes and single images</source>
        <translation>Für ganze Klassen und einzelne Bilder</translation>
    </message>
    <message>
        <source>Forget</source>
        <translation>Vergessen</translation>
    </message>
    <message>
        <source>forget</source>
        <translation>vergessen</translation>
    </message>
    <message>
        <source>Forget &amp;list</source>
        <translation>&amp;Vergessensliste</translation>
    </message>
    <message>
        <source>Forget accuracy on {where} went from {forget_before} to {forget_after} %, retain accuracy on {images} from {retain_before} to {retain_after} %.</source>
        <translation>Genauigkeit auf {where}: {forget_before} → {forget_after} %, auf {images} behaltenen: {retain_before} → {retain_after} %.</translation>
    </message>
    <message>
        <source>Forget all of class {name}</source>
        <translation>Ganze Klasse {name} vergessen</translation>
    </message>
    <message>
        <source>Forget and recover</source>
        <translation>Vergessen und erholen</translation>
    </message>
    <message>
        <source>forget and test images</source>
        <translation>Vergessens- und Testbilder</translation>
    </message>
    <message>
        <source>Forget features</source>
        <translation>Merkmale der Vergessensbilder</translation>
    </message>
    <message>
        <source>Forget image it looks like</source>
        <translation>Zu vergessendes Bild, dem es ähnelt</translation>
    </message>
    <message>
        <source>Forget images</source>
        <translation>Vergessensbilder</translation>
    </message>
    <message>
        <source>forget images</source>
        <translation>Vergessensbilder</translation>
    </message>
    <message>
        <source>Forget images identified, %</source>
        <translation>Erkannte Vergessensbilder, %</translation>
    </message>
    <message>
        <source>forget images {accuracy}</source>
        <translation>Vergessensbilder {accuracy}</translation>
    </message>
    <message>
        <source>Forget images, %</source>
        <translation>Vergessensbilder, %</translation>
    </message>
    <message>
        <source>Forget list {file}</source>
        <translation>Vergessensliste {file}</translation>
    </message>
    <message>
        <source>Forget lists (*.csv *.tsv *.txt *.lst)</source>
        <translation>Vergessenslisten (*.csv *.tsv *.txt *.lst)</translation>
    </message>
    <message>
        <source>Forget lists (*.csv)</source>
        <translation>Vergessenslisten (*.csv)</translation>
    </message>
    <message>
        <source>Forget only these</source>
        <translation>Nur diese vergessen</translation>
    </message>
    <message>
        <source>Forget set</source>
        <translation>Vergessensmenge</translation>
    </message>
    <message>
        <source>Forget set</source>
        <comment>title of a narrow column</comment>
        <translation>Vergessen</translation>
    </message>
    <message>
        <source>Forget set first</source>
        <translation>Vergessensmenge zuerst</translation>
    </message>
    <message>
        <source>Forget this image</source>
        <translation>Dieses Bild vergessen</translation>
    </message>
    <message>
        <source>forget {accuracy}</source>
        <translation>vergessen {accuracy}</translation>
    </message>
    <message>
        <source>Forget, %</source>
        <translation>Verg., %</translation>
    </message>
    <message>
        <source>Forget: {name}</source>
        <translation>Vergessen: {name}</translation>
    </message>
    <message>
        <source>Found again by a linear probe</source>
        <translation>Von einer linearen Sonde wiedergefunden</translation>
    </message>
    <message>
        <source>Fresh weights</source>
        <translation>Neue Gewichte</translation>
    </message>
    <message>
        <source>fresh weights</source>
        <translation>neuen Gewichten</translation>
    </message>
    <message>
        <source>From a file…</source>
        <translation>Aus einer Datei …</translation>
    </message>
    <message>
        <source>From the next run on.</source>
        <translation>Ab dem nächsten Lauf.</translation>
    </message>
    <message>
        <source>From the next start on.</source>
        <translation>Ab dem nächsten Start.</translation>
    </message>
    <message>
        <source>From the package {package}</source>
        <translation>Aus dem Paket {package}</translation>
    </message>
    <message>
        <source>Full checks</source>
        <translation>Alle Prüfungen</translation>
    </message>
    <message>
        <source>Full checks attack what a model says of classes, and an encoder says nothing of them.</source>
        <translation>Vollständige Prüfungen greifen an, was ein Modell über Klassen sagt, und ein Encoder sagt darüber nichts.</translation>
    </message>
    <message>
        <source>Gallery</source>
        <translation>Galerie</translation>
    </message>
    <message>
        <source>Gap</source>
        <translation>Abstand</translation>
    </message>
    <message>
        <source>Gap closed</source>
        <translation>Geschlossener Abstand</translation>
    </message>
    <message>
        <source>Gap closed</source>
        <comment>title of a narrow column</comment>
        <translation>Geschlossen</translation>
    </message>
    <message>
        <source>GIF film (*.gif)</source>
        <translation>GIF-Film (*.gif)</translation>
    </message>
    <message>
        <source>Give up drawing</source>
        <translation>Zeichnen abbrechen</translation>
    </message>
    <message>
        <source>Gl&amp;ossary</source>
        <translation>&amp;Glossar</translation>
    </message>
    <message>
        <source>Glossary</source>
        <translation>Glossar</translation>
    </message>
    <message>
        <source>Go on as it is</source>
        <translation>So weitermachen</translation>
    </message>
    <message>
        <source>Go to Project</source>
        <translation>Zum Projekt</translation>
    </message>
    <message>
        <source>Go to {page}</source>
        <translation>Zur Seite „{page}“</translation>
    </message>
    <message>
        <source>Goes on when the window is closed; a crash of either leaves the other standing.</source>
        <translation>Geht weiter, wenn das Fenster geschlossen wird; stürzt eines von beiden ab, bleibt das andere stehen.</translation>
    </message>
    <message>
        <source>Gradient</source>
        <translation>Gradient</translation>
    </message>
    <message>
        <source>Guide</source>
        <translation>Handbuch</translation>
    </message>
    <message>
        <source>Has a question</source>
        <translation>Hat eine Frage</translation>
    </message>
    <message>
        <source>Head-only</source>
        <translation>Nur Kopf</translation>
    </message>
    <message>
        <source>Head-only edit</source>
        <translation>Änderung nur am Kopf</translation>
    </message>
    <message>
        <source>Head-only edit (control)</source>
        <translation>Änderung nur am Kopf (Kontrolle)</translation>
    </message>
    <message>
        <source>Head-only edit (control): the original with only its classifier head edited. Outputs forget, features do not.</source>
        <translation>Änderung nur am Kopf (Kontrolle): das Original, an dem nur der Klassifikationskopf geändert ist. Die Ausgaben vergessen, die Merkmale nicht.</translation>
    </message>
    <message>
        <source>Head-only edit, unlearned and retrained model</source>
        <translation>Änderung nur am Kopf, verlerntes und neu trainiertes Modell</translation>
    </message>
    <message>
        <source>Hidden</source>
        <comment>verdict</comment>
        <translation>Versteckt</translation>
    </message>
    <message>
        <source>Hidden, not forgotten</source>
        <translation>Nur versteckt</translation>
    </message>
    <message>
        <source>Higher: forget features lie more inside the retain space. The goal is the retrained value, not 1.</source>
        <translation>Höher: Vergessensmerkmale liegen mehr im Behaltensraum. Ziel ist der neu trainierte Wert, nicht 1.</translation>
    </message>
    <message>
        <source>Highest loss</source>
        <translation>Höchster Verlust</translation>
    </message>
    <message>
        <source>Hold the replay</source>
        <translation>Wiedergabe anhalten</translation>
    </message>
    <message>
        <source>How far a measure moved from the original's value (0) to the retrained model's (1). Above 1 is further than retraining goes.</source>
        <translation>Wie weit ein Maß vom Wert des Originals (0) zu dem des neu trainierten Modells (1) gerückt ist. Über 1 ist weiter, als neues Training führt.</translation>
    </message>
    <message>
        <source>How far the forget features lie inside the retain directions, for every number of directions</source>
        <translation>Wie weit die Vergessensmerkmale in den Behaltensrichtungen liegen, für jede Zahl von Richtungen</translation>
    </message>
    <message>
        <source>How far the image's features lie from the mean of its class</source>
        <translation>Wie weit die Merkmale des Bildes vom Mittel seiner Klasse entfernt sind</translation>
    </message>
    <message>
        <source>How far the try is from what is wanted: the smallest is best</source>
        <translation>Wie weit der Versuch vom Gewünschten entfernt ist: am kleinsten ist am besten</translation>
    </message>
    <message>
        <source>How fast the model learns the forgotten images again. Much faster than a retrained model means that it still held them.</source>
        <translation>Wie schnell das Modell die vergessenen Bilder wieder lernt. Viel schneller als ein neu trainiertes Modell heißt, dass es sie noch enthielt.</translation>
    </message>
    <message>
        <source>How it works</source>
        <translation>So geht es vor</translation>
    </message>
    <message>
        <source>How many forget images an attacker tells from unseen ones</source>
        <translation>Wie viele Vergessensbilder ein Angreifer von ungesehenen unterscheidet</translation>
    </message>
    <message>
        <source>How much energy retain directions hold is recorded where whole classes are forgotten.</source>
        <translation>Wie viel Energie die Behaltensrichtungen tragen, wird aufgezeichnet, wo ganze Klassen vergessen werden.</translation>
    </message>
    <message>
        <source>How much of a set's features, squared, lies along each of the k directions that the retain features use most. What lies beyond them is what the classes that stay do not use.</source>
        <translation>Wie viel von den Merkmalen einer Menge, im Quadrat, entlang jeder der k Richtungen liegt, die die zu behaltenden Merkmale am meisten nutzen. Was darüber hinausgeht, nutzen die bleibenden Klassen nicht.</translation>
    </message>
    <message>
        <source>How soon each model learns the forgotten classes again</source>
        <translation>Wie bald jedes Modell die vergessenen Klassen wieder lernt</translation>
    </message>
    <message>
        <source>How the data was read</source>
        <translation>Wie die Daten gelesen wurden</translation>
    </message>
    <message>
        <source>How well the features fall into groups that match the forgotten classes, from 0 to 1. Lower than the original means that the groups dissolve.</source>
        <translation>Wie gut die Merkmale Gruppen bilden, die den vergessenen Klassen entsprechen, von 0 bis 1. Niedriger als beim Original heißt, dass sich die Gruppen auflösen.</translation>
    </message>
    <message>
        <source>If removed</source>
        <translation>Wenn entfernt</translation>
    </message>
    <message>
        <source>Image</source>
        <translation>Bild</translation>
    </message>
    <message>
        <source>Image size</source>
        <translation>Bildgröße</translation>
    </message>
    <message>
        <source>Image {number}</source>
        <translation>Bild {number}</translation>
    </message>
    <message>
        <source>Images</source>
        <translation>Bilder</translation>
    </message>
    <message>
        <source>Images that were forgotten, before and after</source>
        <translation>Vergessene Bilder, vorher und nachher</translation>
    </message>
    <message>
        <source>Images to test</source>
        <translation>Bilder zum Testen</translation>
    </message>
    <message>
        <source>Images to train on</source>
        <translation>Bilder zum Trainieren</translation>
    </message>
    <message>
        <source>Import a forget &amp;list…</source>
        <translation>Vergessens&amp;liste einlesen …</translation>
    </message>
    <message>
        <source>Import a forget list</source>
        <translation>Vergessensliste einlesen</translation>
    </message>
    <message>
        <source>Import list…</source>
        <translation>Liste einlesen …</translation>
    </message>
    <message>
        <source>Index</source>
        <translation>Index</translation>
    </message>
    <message>
        <source>Information</source>
        <translation>Hinweis</translation>
    </message>
    <message>
        <source>Input</source>
        <translation>Eingabe</translation>
    </message>
    <message>
        <source>Interrupted</source>
        <translation>Unterbrochen</translation>
    </message>
    <message>
        <source>Invert</source>
        <translation>Umkehren</translation>
    </message>
    <message>
        <source>Is this your network and your preprocessing?</source>
        <translation>Ist das Ihr Netz und Ihre Vorverarbeitung?</translation>
    </message>
    <message>
        <source>It can be done without the window: measures that are finished are not taken again.</source>
        <translation>Sie kann ohne das Fenster gemacht werden: fertige Maße werden nicht noch einmal erhoben.</translation>
    </message>
    <message>
        <source>It can go on without the window, in a process of its own; Runs shows it.</source>
        <translation>Er kann ohne das Fenster weiterlaufen, in einem eigenen Prozess; „Läufe“ zeigt ihn.</translation>
    </message>
    <message>
        <source>It has a process of its own and goes on without the window; Runs shows it.</source>
        <translation>Er hat einen eigenen Prozess und geht ohne das Fenster weiter; „Läufe“ zeigt ihn.</translation>
    </message>
    <message>
        <source>It has schema version {version}, which this version does not read.</source>
        <translation>Sie hat die Schemaversion {version}, die diese Version nicht liest.</translation>
    </message>
    <message>
        <source>It is always given with k, the number of directions, the share of retain energy in them, and whether features were centred. Near the retrained value is necessary, not sufficient.</source>
        <translation>Sie wird immer mit k, der Zahl der Richtungen, dem Anteil der Behaltensenergie darin und der Angabe genannt, ob die Merkmale zentriert wurden. Nahe am neu trainierten Wert zu liegen ist notwendig, nicht hinreichend.</translation>
    </message>
    <message numerus="yes">
        <source>It names %n classes, the model has {outputs} outputs</source>
        <translation>
            <numerusform>Sie nennt 1 Klasse, das Modell hat {outputs} Ausgänge</numerusform>
            <numerusform>Sie nennt %n Klassen, das Modell hat {outputs} Ausgänge</numerusform>
        </translation>
    </message>
    <message>
        <source>It was removed.</source>
        <translation>Sie wurde entfernt.</translation>
    </message>
    <message>
        <source>Its model, report and checkpoints go with it. The original model is not touched.</source>
        <translation>Modell, Bericht und Checkpoints gehen mit. Das Originalmodell bleibt unberührt.</translation>
    </message>
    <message>
        <source>k = {k} · {share} of retain energy</source>
        <translation>k = {k} · {share} der Behaltensenergie</translation>
    </message>
    <message>
        <source>Keep</source>
        <translation>Behalten</translation>
    </message>
    <message>
        <source>Keep all of class {name}</source>
        <translation>Ganze Klasse {name} behalten</translation>
    </message>
    <message>
        <source>Keep as it is</source>
        <translation>So lassen</translation>
    </message>
    <message>
        <source>Keep it</source>
        <translation>Behalten</translation>
    </message>
    <message>
        <source>Keep mine</source>
        <translation>Meine behalten</translation>
    </message>
    <message>
        <source>Keep run</source>
        <translation>Lauf behalten</translation>
    </message>
    <message>
        <source>Keep running</source>
        <translation>Weiterlaufen lassen</translation>
    </message>
    <message>
        <source>Keep them</source>
        <translation>Behalten</translation>
    </message>
    <message>
        <source>Keep this image</source>
        <translation>Dieses Bild behalten</translation>
    </message>
    <message>
        <source>Kept</source>
        <translation>Behalten</translation>
    </message>
    <message>
        <source>Kept images and the forget images they look like</source>
        <translation>Behaltene Bilder und die zu vergessenden, denen sie ähneln</translation>
    </message>
    <message>
        <source>Kept images that show the same picture as forget images: resized, recompressed, mirrored, moved, turned or cut. None is added before you have seen it.</source>
        <translation>Behaltene Bilder, die dasselbe zeigen wie Vergessensbilder: skaliert, neu komprimiert, gespiegelt, verschoben, gedreht oder beschnitten. Keines kommt hinzu, bevor Sie es gesehen haben.</translation>
    </message>
    <message>
        <source>Keyboard shortcuts</source>
        <translation>Tastenkürzel</translation>
    </message>
    <message>
        <source>Keys</source>
        <translation>Tasten</translation>
    </message>
    <message>
        <source>Keys, types and wrapping as they came in.</source>
        <translation>Schlüssel, Typen und Verpackung bleiben, wie sie waren.</translation>
    </message>
    <message>
        <source>Kind</source>
        <translation>Art</translation>
    </message>
    <message>
        <source>Known data sets could not be listed</source>
        <translation>Bekannte Datensätze konnten nicht aufgelistet werden</translation>
    </message>
    <message>
        <source>Known once the model was measured on the images.</source>
        <translation>Bekannt, sobald das Modell an den Bildern gemessen ist.</translation>
    </message>
    <message>
        <source>known once the run before has ended</source>
        <translation>bekannt, sobald der Lauf davor beendet ist</translation>
    </message>
    <message>
        <source>Label, and what is suggested: {doubt}</source>
        <translation>Etikett und Vorschlag: {doubt}</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>Sprache</translation>
    </message>
    <message>
        <source>Largest share of the time spent on measuring while a run goes. Less gives fewer points in the curves, not a different result.</source>
        <translation>Der größte Anteil der Zeit, der während eines Laufs auf Messungen entfällt. Weniger ergibt weniger Punkte in den Kurven, kein anderes Ergebnis.</translation>
    </message>
    <message>
        <source>Largest share of the time that measuring may take. Less gives fewer points, not another result.</source>
        <translation>Größter Anteil der Zeit, den das Messen haben darf. Weniger ergibt weniger Messpunkte, kein anderes Ergebnis.</translation>
    </message>
    <message>
        <source>Lasso</source>
        <translation>Lasso</translation>
    </message>
    <message>
        <source>Later request</source>
        <translation>Spätere Anfrage</translation>
    </message>
    <message>
        <source>LaTeX, booktabs (*.tex)</source>
        <translation>LaTeX, booktabs (*.tex)</translation>
    </message>
    <message>
        <source>Least confident</source>
        <translation>Am unsichersten</translation>
    </message>
    <message>
        <source>Left mark: the original's value. Right mark: the retrained value. The bar ends at the unlearned model; the whisker is its 95 % interval.</source>
        <translation>Linke Marke: der Wert des Originals. Rechte Marke: der neu trainierte Wert. Der Balken endet beim verlernten Modell; der Fehlerstrich ist sein 95-%-Intervall.</translation>
    </message>
    <message>
        <source>Left out</source>
        <translation>Ausgelassen</translation>
    </message>
    <message>
        <source>Left, for one of a kind opens at a time: {names}.</source>
        <translation>Übrig, denn von einer Art wird jeweils eines geöffnet: {names}.</translation>
    </message>
    <message>
        <source>Let the model follow teachers: one for what stays, another for what goes.</source>
        <translation>Das Modell folgt Lehrern: einem für das, was bleibt, einem anderen für das, was geht.</translation>
    </message>
    <message>
        <source>Let them wait there</source>
        <translation>Dort warten lassen</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>Hell</translation>
    </message>
    <message>
        <source>Likely to suffer</source>
        <translation>Vermutlich betroffen</translation>
    </message>
    <message>
        <source>Line {line}: {entry}: {reason}</source>
        <translation>Zeile {line}: {entry}: {reason}</translation>
    </message>
    <message numerus="yes">
        <source>Line {line}: {entry}: {reason}; nearest names: {names}</source>
        <translation>
            <numerusform>Zeile {line}: {entry}: {reason}; ähnlichster Name: {names}</numerusform>
            <numerusform>Zeile {line}: {entry}: {reason}; ähnlichste Namen: {names}</numerusform>
        </translation>
    </message>
    <message>
        <source>Linear</source>
        <translation>Linear</translation>
    </message>
    <message>
        <source>Linear probe</source>
        <translation>Lineare Sonde</translation>
    </message>
    <message numerus="yes">
        <source>List all %n classes…</source>
        <translation>
            <numerusform>Die Klasse nennen …</numerusform>
            <numerusform>Alle %n Klassen nennen …</numerusform>
        </translation>
    </message>
    <message>
        <source>List of transforms</source>
        <translation>Liste von Transformationen</translation>
    </message>
    <message>
        <source>Loading PyTorch…</source>
        <translation>PyTorch wird geladen …</translation>
    </message>
    <message>
        <source>Log</source>
        <comment>a scale</comment>
        <translation>Log.</translation>
    </message>
    <message>
        <source>Log lines</source>
        <translation>Zeilen des Protokolls</translation>
    </message>
    <message>
        <source>Logit of the image's own class minus the largest other; below 0 the model is wrong</source>
        <translation>Logit der eigenen Klasse minus den größten anderen; unter 0 irrt das Modell</translation>
    </message>
    <message>
        <source>Looking at the image</source>
        <translation>Das Bild wird betrachtet</translation>
    </message>
    <message>
        <source>Looking at the image ({done} of {total})</source>
        <translation>Das Bild wird betrachtet ({done} von {total})</translation>
    </message>
    <message>
        <source>Looking for known data sets…</source>
        <translation>Bekannte Datensätze werden gesucht …</translation>
    </message>
    <message>
        <source>Looking for similar images ({done} of {total}) …</source>
        <translation>Ähnliche Bilder werden gesucht ({done} von {total}) …</translation>
    </message>
    <message>
        <source>Looking for similar images …</source>
        <translation>Ähnliche Bilder werden gesucht …</translation>
    </message>
    <message>
        <source>Loss</source>
        <translation>Verlust</translation>
    </message>
    <message>
        <source>Loss on forget and on test images</source>
        <translation>Verlust auf Vergessens- und auf Testbildern</translation>
    </message>
    <message>
        <source>Loss terms</source>
        <translation>Teile des Verlusts</translation>
    </message>
    <message>
        <source>Loss {value}</source>
        <translation>Verlust {value}</translation>
    </message>
    <message>
        <source>Losses and membership attacks tell more here than accuracy, and alignment tells nothing.</source>
        <translation>Verluste und Zugehörigkeitsangriffe sagen hier mehr als die Genauigkeit, und die Ausrichtung sagt nichts.</translation>
    </message>
    <message>
        <source>Main plane of the start: {start} of the variance, {now} now · turned · {images}</source>
        <translation>Anfangsebene: {start} der Varianz, jetzt {now} · gedreht · {images}</translation>
    </message>
    <message>
        <source>Map</source>
        <translation>Karte</translation>
    </message>
    <message>
        <source>Map of images</source>
        <translation>Karte der Bilder</translation>
    </message>
    <message>
        <source>Map of the training images</source>
        <translation>Karte der Trainingsbilder</translation>
    </message>
    <message>
        <source>Margin</source>
        <translation>Abstand der Logits</translation>
    </message>
    <message>
        <source>Margin {value}</source>
        <translation>Abstand der Logits {value}</translation>
    </message>
    <message>
        <source>Mark or unmark an image</source>
        <translation>Ein Bild markieren oder die Marke wegnehmen</translation>
    </message>
    <message numerus="yes">
        <source>Mark the first %n</source>
        <translation>
            <numerusform>Das erste auswählen</numerusform>
            <numerusform>Die ersten %n auswählen</numerusform>
        </translation>
    </message>
    <message>
        <source>Match classes</source>
        <translation>Klassen zuordnen</translation>
    </message>
    <message>
        <source>Match classes…</source>
        <translation>Klassen zuordnen …</translation>
    </message>
    <message>
        <source>Mean and std</source>
        <translation>Mittelwert und Streuung</translation>
    </message>
    <message numerus="yes">
        <source>Mean of %n retrained models: {values}</source>
        <translation>
            <numerusform>Mittel von %n neu trainierten Modell: {values}</numerusform>
            <numerusform>Mittel von %n neu trainierten Modellen: {values}</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Mean over %n seeds ± half of its 95 % interval: {values}</source>
        <translation>
            <numerusform>Wert von %n Startwert: {values}</numerusform>
            <numerusform>Mittel über %n Startwerte ± die Hälfte seines 95-%-Intervalls: {values}</numerusform>
        </translation>
    </message>
    <message>
        <source>Measure</source>
        <translation>Maß</translation>
    </message>
    <message>
        <source>Measure of the X axis</source>
        <translation>Maß der X-Achse</translation>
    </message>
    <message>
        <source>Measure of the Y axis</source>
        <translation>Maß der Y-Achse</translation>
    </message>
    <message numerus="yes">
        <source>measured on %n forget images the original has seen before</source>
        <translation>
            <numerusform>gemessen an %n Vergessensbild, das das Original schon gesehen hat</numerusform>
            <numerusform>gemessen an %n Vergessensbildern, die das Original schon gesehen hat</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>measured on %n unseen forget images</source>
        <translation>
            <numerusform>gemessen an %n ungesehenen Vergessensbild</numerusform>
            <numerusform>gemessen an %n ungesehenen Vergessensbildern</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>measured on the %n images to forget</source>
        <translation>
            <numerusform>gemessen am %n zu vergessenden Bild</numerusform>
            <numerusform>gemessen an den %n zu vergessenden Bildern</numerusform>
        </translation>
    </message>
    <message>
        <source>Measured once model and data are both open.</source>
        <translation>Gemessen, sobald Modell und Daten geöffnet sind.</translation>
    </message>
    <message>
        <source>Measures</source>
        <translation>Maße</translation>
    </message>
    <message>
        <source>Measures and plots</source>
        <translation>Maße und Diagramme</translation>
    </message>
    <message>
        <source>Measures of compared runs</source>
        <translation>Maße der verglichenen Läufe</translation>
    </message>
    <message>
        <source>Measures of each model</source>
        <translation>Maße jedes Modells</translation>
    </message>
    <message>
        <source>Measures of two or more finished runs side by side, means over seeds</source>
        <translation>Maße von zwei oder mehr beendeten Läufen nebeneinander, Mittel über Startwerte</translation>
    </message>
    <message>
        <source>Measuring the model on all images…</source>
        <translation>Das Modell wird auf allen Bildern gemessen …</translation>
    </message>
    <message>
        <source>median loss {medians}; overlap {share}</source>
        <translation>mittlerer Verlust (Median) {medians}; Überlappung {share}</translation>
    </message>
    <message>
        <source>Membership</source>
        <translation>Zugehörigkeit</translation>
    </message>
    <message>
        <source>Membership attack</source>
        <translation>Zugehörigkeitsangriff</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>Arbeitsspeicher</translation>
    </message>
    <message>
        <source>memory {size}</source>
        <translation>Speicher {size}</translation>
    </message>
    <message>
        <source>Menu bar</source>
        <translation>Menüleiste</translation>
    </message>
    <message>
        <source>Message</source>
        <translation>Meldung</translation>
    </message>
    <message>
        <source>Messages</source>
        <translation>Meldungen</translation>
    </message>
    <message>
        <source>Messages, newest first</source>
        <translation>Meldungen, die neueste zuerst</translation>
    </message>
    <message>
        <source>Method</source>
        <translation>Verfahren</translation>
    </message>
    <message>
        <source>Methods</source>
        <translation>Verfahren</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Modell</translation>
    </message>
    <message>
        <source>Model &amp;card</source>
        <translation>Modell&amp;karte</translation>
    </message>
    <message>
        <source>Model and data</source>
        <translation>Modell und Daten</translation>
    </message>
    <message>
        <source>Model says {name}, {share} sure</source>
        <translation>Das Modell sagt {name}, zu {share} sicher</translation>
    </message>
    <message>
        <source>Models (*.safetensors *.pt *.pth *.ckpt)</source>
        <translation>Modelle (*.safetensors *.pt *.pth *.ckpt)</translation>
    </message>
    <message>
        <source>Models ({endings})</source>
        <translation>Modelle ({endings})</translation>
    </message>
    <message>
        <source>Monitoring budget</source>
        <translation>Messaufwand</translation>
    </message>
    <message>
        <source>More filters</source>
        <translation>Weitere Filter</translation>
    </message>
    <message>
        <source>Move</source>
        <translation>Verschieben</translation>
    </message>
    <message>
        <source>Move down</source>
        <translation>Nach unten</translation>
    </message>
    <message>
        <source>Move the features of the forget images into the space of what stays.</source>
        <translation>Die Merkmale der Vergessensbilder in den Raum dessen bewegen, was bleibt.</translation>
    </message>
    <message>
        <source>Move to trash</source>
        <translation>In den Papierkorb</translation>
    </message>
    <message>
        <source>Move up</source>
        <translation>Nach oben</translation>
    </message>
    <message>
        <source>Move {runs} to the trash?</source>
        <translation>{runs} in den Papierkorb verschieben?</translation>
    </message>
    <message>
        <source>Moving {runs} to the trash</source>
        <translation>In den Papierkorb: {runs}</translation>
    </message>
    <message>
        <source>Must be {rule}.</source>
        <translation>Verlangt: {rule}.</translation>
    </message>
    <message>
        <source>Name in model</source>
        <translation>Name im Modell</translation>
    </message>
    <message>
        <source>Name its architecture…</source>
        <translation>Architektur nennen …</translation>
    </message>
    <message>
        <source>Name the file to write.</source>
        <translation>Benennen Sie die Datei, die geschrieben wird.</translation>
    </message>
    <message>
        <source>Named settings of the method; – for its defaults</source>
        <translation>Benannte Einstellungen des Verfahrens; – für ihre Vorgaben</translation>
    </message>
    <message>
        <source>names in the file</source>
        <translation>Namen in der Datei</translation>
    </message>
    <message>
        <source>names in the model card</source>
        <translation>Namen in der Modellkarte</translation>
    </message>
    <message>
        <source>Names of all outputs, one a line in their order</source>
        <translation>Namen aller Ausgänge, einer je Zeile in ihrer Reihenfolge</translation>
    </message>
    <message>
        <source>Near the forget set</source>
        <translation>Nahe der Vergessensmenge</translation>
    </message>
    <message>
        <source>Nearest training images, by features</source>
        <translation>Nächste Trainingsbilder nach Merkmalen</translation>
    </message>
    <message>
        <source>Nearly the same picture, other people's among them</source>
        <translation>Fast dasselbe Bild, auch von anderen Personen</translation>
    </message>
    <message>
        <source>Needs full checks.</source>
        <translation>Braucht alle Prüfungen.</translation>
    </message>
    <message>
        <source>Needs nothing but the model</source>
        <translation>Braucht nur das Modell</translation>
    </message>
    <message>
        <source>Needs: {what}</source>
        <translation>Braucht: {what}</translation>
    </message>
    <message>
        <source>Network</source>
        <translation>Netz</translation>
    </message>
    <message>
        <source>Network and weights, for any batch size.</source>
        <translation>Netz und Gewichte, für jede Batchgröße.</translation>
    </message>
    <message>
        <source>Network, images and retrained models come with the program; everything stays on this computer.</source>
        <translation>Netz, Bilder und neu trainierte Modelle liegen dem Programm bei; alles bleibt auf diesem Rechner.</translation>
    </message>
    <message>
        <source>New here? Watch a small network forget the class {name}.</source>
        <translation>Neu hier? Sehen Sie zu, wie ein kleines Netz die Klasse {name} vergisst.</translation>
    </message>
    <message>
        <source>New run</source>
        <translation>Neuer Lauf</translation>
    </message>
    <message>
        <source>Newer version</source>
        <translation>Neuere Version</translation>
    </message>
    <message>
        <source>Newest</source>
        <translation>Neuester</translation>
    </message>
    <message>
        <source>newest, step {step}</source>
        <translation>neuester, Schritt {step}</translation>
    </message>
    <message>
        <source>Next image</source>
        <translation>Nächstes Bild</translation>
    </message>
    <message>
        <source>Next or previous field</source>
        <translation>Nächstes oder voriges Feld</translation>
    </message>
    <message>
        <source>Next or previous page</source>
        <translation>Nächste oder vorige Seite</translation>
    </message>
    <message>
        <source>No file names</source>
        <translation>Keine Namen</translation>
    </message>
    <message>
        <source>No image matches the search and filters.</source>
        <translation>Kein Bild passt zu Suche und Filtern.</translation>
    </message>
    <message>
        <source>No later request can start from this model.</source>
        <translation>Von diesem Modell kann keine weitere Anfrage ausgehen.</translation>
    </message>
    <message>
        <source>No later request can start from this run</source>
        <translation>Mit diesem Lauf kann keine spätere Anfrage beginnen</translation>
    </message>
    <message>
        <source>No method matches “{text}”.</source>
        <translation>Kein Verfahren passt zu „{text}“.</translation>
    </message>
    <message>
        <source>No model, data, run, forget list or batch file: {names}.</source>
        <translation>Kein Modell, keine Daten, kein Lauf, keine Vergessensliste und keine Stapeldatei: {names}.</translation>
    </message>
    <message>
        <source>no names in the file</source>
        <translation>keine Namen in der Datei</translation>
    </message>
    <message>
        <source>No network that is known here fits the weights of {name}. Name one that does, or the code that makes it.</source>
        <translation>Kein hier bekanntes Netz passt zu den Gewichten von {name}. Nennen Sie eines, das passt, oder den Code, der es erzeugt.</translation>
    </message>
    <message>
        <source>No patch was found that makes the model name a class. What stands out in its class comes first.</source>
        <translation>Es wurde kein Fleck gefunden, der das Modell eine Klasse sagen lässt. Was in seiner Klasse herausfällt, kommt zuerst.</translation>
    </message>
    <message>
        <source>No retrained model</source>
        <translation>Vergleichsmodell fehlt</translation>
    </message>
    <message>
        <source>No retrained model yet, so nothing says where such images would go by themselves.</source>
        <translation>Noch kein neu trainiertes Modell; nichts sagt also, wohin solche Bilder von selbst gingen.</translation>
    </message>
    <message>
        <source>No retrained model yet.</source>
        <translation>Noch kein neu trainiertes Modell.</translation>
    </message>
    <message>
        <source>No retrained model yet. How long training one takes is not known.</source>
        <translation>Noch kein neu trainiertes Modell. Wie lange eines dauert, ist nicht bekannt.</translation>
    </message>
    <message>
        <source>No retrained model yet. Training one takes {time}, going by the original's training time.</source>
        <translation>Noch kein neu trainiertes Modell. Eines zu trainieren dauert {time}, nach der Trainingszeit des Originals.</translation>
    </message>
    <message>
        <source>No run is going.</source>
        <translation>Es ist kein Lauf im Gange.</translation>
    </message>
    <message>
        <source>No run yet</source>
        <translation>Noch kein Lauf</translation>
    </message>
    <message>
        <source>No similar images kept.</source>
        <translation>Keine ähnlichen Bilder behalten.</translation>
    </message>
    <message>
        <source>No test images were found. Set a share of every class aside?</source>
        <translation>Es wurden keine Testbilder gefunden. Soll ein Teil jeder Klasse zurückgelegt werden?</translation>
    </message>
    <message>
        <source>No two measures were taken of these runs.</source>
        <translation>Von diesen Läufen wurden keine zwei Maße genommen.</translation>
    </message>
    <message>
        <source>No usable measure: on these images chance explains what differs.</source>
        <translation>Kein brauchbares Maß: Auf diesen Bildern erklärt der Zufall die Unterschiede.</translation>
    </message>
    <message>
        <source>No value is good for being high or low: the retrained one is the goal. Double-click a run to open it.</source>
        <translation>Kein Wert ist gut, weil er hoch oder niedrig ist: Ziel ist der neu trainierte. Ein Doppelklick öffnet einen Lauf.</translation>
    </message>
    <message>
        <source>no values yet</source>
        <translation>noch keine Werte</translation>
    </message>
    <message>
        <source>none</source>
        <translation>nichts</translation>
    </message>
    <message>
        <source>None of these settings gave a usable model. Start from a smaller step size, or from another preset.</source>
        <translation>Keine dieser Einstellungen ergab ein brauchbares Modell. Gehen Sie von einer kleineren Schrittweite oder einer anderen Voreinstellung aus.</translation>
    </message>
    <message>
        <source>None of what was tried is right often enough to be used without asking.</source>
        <translation>Nichts von dem, was versucht wurde, ist oft genug richtig, um ungefragt verwendet zu werden.</translation>
    </message>
    <message>
        <source>None yet</source>
        <translation>Noch keine</translation>
    </message>
    <message>
        <source>none yet</source>
        <translation>noch keine</translation>
    </message>
    <message>
        <source>not centred</source>
        <translation>nicht zentriert</translation>
    </message>
    <message>
        <source>Not checked yet: Verify compares the result with retrained models.</source>
        <translation>Noch nicht geprüft: „Prüfen“ vergleicht das Ergebnis mit neu trainierten Modellen.</translation>
    </message>
    <message>
        <source>Not compared</source>
        <comment>verdict</comment>
        <translation>Unverglichen</translation>
    </message>
    <message>
        <source>Not compared with a retrained model yet, so there is no verdict.</source>
        <translation>Noch nicht mit einem neu trainierten Modell verglichen, also gibt es kein Urteil.</translation>
    </message>
    <message>
        <source>Not compared yet</source>
        <translation>Noch nicht verglichen</translation>
    </message>
    <message>
        <source>Not corrected</source>
        <translation>Nicht berichtigt</translation>
    </message>
    <message>
        <source>Not corrected</source>
        <comment>verdict</comment>
        <translation>Nicht berichtigt</translation>
    </message>
    <message>
        <source>Not forgotten</source>
        <translation>Nicht vergessen</translation>
    </message>
    <message>
        <source>Not forgotten</source>
        <comment>verdict</comment>
        <translation>Nicht vergessen</translation>
    </message>
    <message>
        <source>Not found</source>
        <translation>Nicht gefunden</translation>
    </message>
    <message>
        <source>not informative here</source>
        <translation>hier nicht aussagekräftig</translation>
    </message>
    <message>
        <source>Not installed. To add it: pip install "unlearn-studio[onnx]"</source>
        <translation>Nicht installiert. Zum Nachrüsten: pip install "unlearn-studio[onnx]"</translation>
    </message>
    <message>
        <source>not known whether pretrained</source>
        <translation>nicht bekannt, ob vortrainiert</translation>
    </message>
    <message>
        <source>not measured</source>
        <translation>nicht gemessen</translation>
    </message>
    <message>
        <source>Not measured in this report.</source>
        <translation>In diesem Bericht nicht gemessen.</translation>
    </message>
    <message>
        <source>Not possible now. State of the run: {state}.</source>
        <translation>Jetzt nicht möglich. Zustand des Laufs: {state}.</translation>
    </message>
    <message>
        <source>Not saved: {error}</source>
        <translation>Nicht gespeichert: {error}</translation>
    </message>
    <message>
        <source>Not started</source>
        <translation>Nicht begonnen</translation>
    </message>
    <message>
        <source>Not suitable here</source>
        <translation>Hier nicht geeignet</translation>
    </message>
    <message>
        <source>not trained yet</source>
        <translation>noch nicht trainiert</translation>
    </message>
    <message>
        <source>Not written</source>
        <translation>Nicht geschrieben</translation>
    </message>
    <message>
        <source>Note</source>
        <translation>Hinweis</translation>
    </message>
    <message>
        <source>Nothing chosen</source>
        <translation>Nichts gewählt</translation>
    </message>
    <message>
        <source>Nothing is chosen to be forgotten.</source>
        <translation>Es ist nichts zum Vergessen gewählt.</translation>
    </message>
    <message>
        <source>Nothing is kept.</source>
        <translation>Nichts wird aufbewahrt.</translation>
    </message>
    <message>
        <source>Nothing is open.</source>
        <translation>Nichts ist offen.</translation>
    </message>
    <message>
        <source>Nothing open</source>
        <translation>Nichts geöffnet</translation>
    </message>
    <message>
        <source>Nothing says how images are prepared.</source>
        <translation>Nichts sagt, wie Bilder vorbereitet werden.</translation>
    </message>
    <message>
        <source>Nothing says which network it is and how images are prepared.</source>
        <translation>Nichts sagt, welches Netz es ist und wie Bilder vorbereitet werden.</translation>
    </message>
    <message>
        <source>Nothing says which network it is.</source>
        <translation>Nichts sagt, welches Netz es ist.</translation>
    </message>
    <message>
        <source>Nothing to check</source>
        <translation>Nichts zu prüfen</translation>
    </message>
    <message>
        <source>Nothing to check yet. Finish or open a run.</source>
        <translation>Noch nichts zu prüfen. Führen Sie einen Lauf zu Ende oder öffnen Sie einen.</translation>
    </message>
    <message>
        <source>Nothing to export</source>
        <translation>Nichts zu exportieren</translation>
    </message>
    <message>
        <source>Nothing to export yet. Finish or open a run.</source>
        <translation>Noch nichts zu exportieren. Führen Sie einen Lauf zu Ende oder öffnen Sie einen.</translation>
    </message>
    <message>
        <source>nothing to keep yet</source>
        <translation>noch nichts zu behalten</translation>
    </message>
    <message>
        <source>Nothing to tell</source>
        <translation>Nicht zu beurteilen</translation>
    </message>
    <message>
        <source>Nothing to tell</source>
        <comment>verdict</comment>
        <translation>Unklar</translation>
    </message>
    <message>
        <source>Nothing was opened yet</source>
        <translation>Noch wurde nichts geöffnet</translation>
    </message>
    <message>
        <source>Nothing was removed</source>
        <translation>Nichts wurde entfernt</translation>
    </message>
    <message>
        <source>Nothing was tried.</source>
        <translation>Es wurde nichts ausprobiert.</translation>
    </message>
    <message>
        <source>nothing yet</source>
        <translation>noch nichts</translation>
    </message>
    <message>
        <source>Now</source>
        <translation>Jetzt</translation>
    </message>
    <message>
        <source>Number of processes, or name of the machine</source>
        <translation>Anzahl der Prozesse oder Name des Rechners</translation>
    </message>
    <message>
        <source>of all {test} test images (seen before) are right · {share} of the {train} training images</source>
        <translation>aller {test} Testbilder (schon gesehen) sind richtig · {share} der {train} Trainingsbilder</translation>
    </message>
    <message>
        <source>of all {test} test images are right · {share} of the {train} training images</source>
        <translation>aller {test} Testbilder sind richtig · {share} der {train} Trainingsbilder</translation>
    </message>
    <message>
        <source>Of the retrained models the first is drawn.</source>
        <translation>Von den neu trainierten Modellen ist das erste gezeichnet.</translation>
    </message>
    <message>
        <source>On disk: a checkpoint at step {checkpoint} and results up to {step}.</source>
        <translation>Gespeichert: ein Checkpoint bei Schritt {checkpoint} und Ergebnisse bis {step}.</translation>
    </message>
    <message>
        <source>On disk: results up to {step}.</source>
        <translation>Gespeichert: Ergebnisse bis {step}.</translation>
    </message>
    <message>
        <source>On retain</source>
        <translation>Auf Behaltenen</translation>
    </message>
    <message>
        <source>on {host}</source>
        <translation>auf {host}</translation>
    </message>
    <message>
        <source>One execution of a method. All of it lies in one folder that can be opened again, also while it goes.</source>
        <translation>Eine Ausführung eines Verfahrens. Alles davon liegt in einem Ordner, der wieder geöffnet werden kann, auch währenddessen.</translation>
    </message>
    <message>
        <source>One of these runs is being deleted.</source>
        <translation>Einer dieser Läufe wird gerade gelöscht.</translation>
    </message>
    <message>
        <source>one retrained model: how far two differ was not measured</source>
        <translation>ein neu trainiertes Modell: wie weit sich zwei unterscheiden, wurde nicht gemessen</translation>
    </message>
    <message>
        <source>One seed or several: "0", "1-3", "1, 4". Each is a run of its own.</source>
        <translation>Ein Startwert oder mehrere: "0", "1-3", "1, 4". Jeder ist ein eigener Lauf.</translation>
    </message>
    <message>
        <source>Only a run that was interrupted or failed can be resumed.</source>
        <translation>Fortsetzen lässt sich nur ein Lauf, der unterbrochen wurde oder fehlgeschlagen ist.</translation>
    </message>
    <message>
        <source>Only finished runs that forget can be compared.</source>
        <translation>Nur beendete Läufe, die vergessen, können verglichen werden.</translation>
    </message>
    <message>
        <source>Only images that have a duplicate</source>
        <translation>Nur Bilder mit einer Dublette</translation>
    </message>
    <message>
        <source>Only runs that forget the same images share retrained models.</source>
        <translation>Nur Läufe, die dieselben Bilder vergessen, haben neu trainierte Modelle gemeinsam.</translation>
    </message>
    <message>
        <source>Only the likeliest pairs were compared, so there may be more.</source>
        <translation>Nur die wahrscheinlichsten Paare wurden verglichen; es kann mehr geben.</translation>
    </message>
    <message>
        <source>Only {now} correct. The class order probably differs between model and folders. With the order found on half of the images, {found} of the other half are correct.</source>
        <translation>Nur {now} richtig. Die Reihenfolge der Klassen ist bei Modell und Ordnern wahrscheinlich verschieden. Mit der auf der Hälfte der Bilder gefundenen Reihenfolge sind {found} der anderen Hälfte richtig.</translation>
    </message>
    <message>
        <source>ONNX (.onnx)</source>
        <translation>ONNX (.onnx)</translation>
    </message>
    <message>
        <source>Open</source>
        <translation>Öffnen</translation>
    </message>
    <message>
        <source>Open &amp;recent</source>
        <translation>&amp;Zuletzt geöffnet</translation>
    </message>
    <message>
        <source>Open &amp;report</source>
        <translation>Be&amp;richt öffnen</translation>
    </message>
    <message>
        <source>Open a &amp;batch file…</source>
        <translation>&amp;Stapeldatei öffnen …</translation>
    </message>
    <message>
        <source>Open a &amp;data folder…</source>
        <translation>&amp;Datenordner öffnen …</translation>
    </message>
    <message>
        <source>Open a &amp;model…</source>
        <translation>&amp;Modell öffnen …</translation>
    </message>
    <message>
        <source>Open a batch file</source>
        <translation>Stapeldatei öffnen</translation>
    </message>
    <message>
        <source>Open a batch file…</source>
        <translation>Stapeldatei öffnen …</translation>
    </message>
    <message>
        <source>Open a data &amp;file…</source>
        <translation>Daten&amp;datei öffnen …</translation>
    </message>
    <message>
        <source>Open a folder of class folders</source>
        <translation>Ordner mit Klassenordnern öffnen</translation>
    </message>
    <message>
        <source>Open a model</source>
        <translation>Modell öffnen</translation>
    </message>
    <message>
        <source>Open a model and data first.</source>
        <translation>Öffnen Sie zuerst ein Modell und Daten.</translation>
    </message>
    <message>
        <source>Open a model and its data to see which output stands for which class, and how often it is right.</source>
        <translation>Öffnen Sie ein Modell und seine Daten, um zu sehen, welcher Ausgang für welche Klasse steht und wie oft er richtig ist.</translation>
    </message>
    <message>
        <source>Open a model first.</source>
        <translation>Öffnen Sie zuerst ein Modell.</translation>
    </message>
    <message>
        <source>Open a model…</source>
        <translation>Modell öffnen …</translation>
    </message>
    <message>
        <source>Open a r&amp;un folder…</source>
        <translation>La&amp;ufordner öffnen …</translation>
    </message>
    <message>
        <source>Open a retrained model</source>
        <translation>Neu trainiertes Modell öffnen</translation>
    </message>
    <message>
        <source>Open a retrained model…</source>
        <translation>Neu trainiertes Modell öffnen …</translation>
    </message>
    <message>
        <source>Open a run</source>
        <translation>Lauf öffnen</translation>
    </message>
    <message>
        <source>Open a run folder</source>
        <translation>Laufordner öffnen</translation>
    </message>
    <message>
        <source>Open a run folder…</source>
        <translation>Laufordner öffnen …</translation>
    </message>
    <message>
        <source>Open anyway</source>
        <translation>Trotzdem öffnen</translation>
    </message>
    <message>
        <source>Open as this</source>
        <translation>So öffnen</translation>
    </message>
    <message>
        <source>Open data</source>
        <translation>Daten öffnen</translation>
    </message>
    <message>
        <source>Open folder</source>
        <translation>Ordner öffnen</translation>
    </message>
    <message>
        <source>Open in the browser</source>
        <translation>Im Browser öffnen</translation>
    </message>
    <message>
        <source>Open it and close the data</source>
        <translation>Öffnen und die Daten schließen</translation>
    </message>
    <message>
        <source>Open it and close the model</source>
        <translation>Öffnen und das Modell schließen</translation>
    </message>
    <message>
        <source>Open its data…</source>
        <translation>Seine Daten öffnen …</translation>
    </message>
    <message>
        <source>Open its model and data</source>
        <translation>Sein Modell und seine Daten öffnen</translation>
    </message>
    <message>
        <source>Open log &amp;folder</source>
        <translation>&amp;Protokollordner öffnen</translation>
    </message>
    <message>
        <source>Open log folder</source>
        <translation>Protokollordner öffnen</translation>
    </message>
    <message>
        <source>Open model and data</source>
        <translation>Modell und Daten öffnen</translation>
    </message>
    <message>
        <source>open now</source>
        <translation>geöffnet</translation>
    </message>
    <message>
        <source>Open one…</source>
        <translation>Eines öffnen …</translation>
    </message>
    <message>
        <source>Open the data first.</source>
        <translation>Öffnen Sie zuerst die Daten.</translation>
    </message>
    <message>
        <source>Open the data first: a forget list names its images.</source>
        <translation>Öffnen Sie zuerst die Daten: Eine Vergessensliste nennt deren Bilder.</translation>
    </message>
    <message>
        <source>Open the e&amp;xample</source>
        <translation>&amp;Beispiel öffnen</translation>
    </message>
    <message>
        <source>Open the example: a small network and the images it was trained on</source>
        <translation>Das Beispiel öffnen: ein kleines Netz und die Bilder, auf denen es trainiert wurde</translation>
    </message>
    <message>
        <source>Open the first in rank</source>
        <translation>Den Ersten der Rangfolge öffnen</translation>
    </message>
    <message>
        <source>Open the guide</source>
        <translation>Handbuch öffnen</translation>
    </message>
    <message>
        <source>Open the image</source>
        <translation>Bild öffnen</translation>
    </message>
    <message>
        <source>Open the last model and data</source>
        <translation>Letztes Modell und letzte Daten öffnen</translation>
    </message>
    <message>
        <source>Open the model this run made and forget more with it. What was forgotten before stays forgotten: those images are kept out of the retain set.</source>
        <translation>Das Modell öffnen, das dieser Lauf ergeben hat, und damit mehr vergessen. Was vorher vergessen wurde, bleibt vergessen: Diese Bilder kommen nicht in die Menge, die bleibt.</translation>
    </message>
    <message>
        <source>Open the model to see how it arranges the images.</source>
        <translation>Öffnen Sie das Modell, um zu sehen, wie es die Bilder anordnet.</translation>
    </message>
    <message>
        <source>Open the model to see how often it is right.</source>
        <translation>Öffnen Sie das Modell, um zu sehen, wie oft es richtig ist.</translation>
    </message>
    <message>
        <source>Open this one</source>
        <translation>Dieses öffnen</translation>
    </message>
    <message>
        <source>Opening model and data</source>
        <translation>Modell und Daten werden geöffnet</translation>
    </message>
    <message>
        <source>opening model and data</source>
        <translation>Modell und Daten werden geöffnet</translation>
    </message>
    <message>
        <source>Opening the model</source>
        <translation>Modell wird geöffnet</translation>
    </message>
    <message>
        <source>Opening · {name}</source>
        <translation>Wird geöffnet · {name}</translation>
    </message>
    <message>
        <source>Opening…</source>
        <translation>Wird geöffnet …</translation>
    </message>
    <message>
        <source>Open…</source>
        <translation>Öffnen …</translation>
    </message>
    <message>
        <source>Order</source>
        <translation>Reihenfolge</translation>
    </message>
    <message>
        <source>Order found on images</source>
        <translation>Auf Bildern gefundene Reihenfolge</translation>
    </message>
    <message>
        <source>Original</source>
        <translation>Original</translation>
    </message>
    <message>
        <source>Original model</source>
        <translation>Originalmodell</translation>
    </message>
    <message>
        <source>Other runs</source>
        <translation>Andere Läufe</translation>
    </message>
    <message>
        <source>Other runs: none</source>
        <translation>Andere Läufe: keine</translation>
    </message>
    <message>
        <source>Other runs: {number}</source>
        <translation>Andere Läufe: {number}</translation>
    </message>
    <message>
        <source>Out of memory at batch {batch}. Start again with {half}? Results differ slightly: batch statistics then come from {half} images.</source>
        <translation>Der Speicher reicht nicht für Batches von {batch}. Mit {half} neu starten? Die Ergebnisse weichen etwas ab: Die Batch-Statistik stammt dann von {half} Bildern.</translation>
    </message>
    <message>
        <source>Output</source>
        <translation>Ausgang</translation>
    </message>
    <message>
        <source>Output {number}</source>
        <translation>Ausgang {number}</translation>
    </message>
    <message>
        <source>Outputs</source>
        <translation>Ausgänge</translation>
    </message>
    <message>
        <source>Outputs, features and a membership attack</source>
        <translation>Ausgaben, Merkmale und ein Zugehörigkeitsangriff</translation>
    </message>
    <message>
        <source>over {number}</source>
        <translation>über {number}</translation>
    </message>
    <message>
        <source>Parameters</source>
        <translation>Parameter</translation>
    </message>
    <message>
        <source>Parameters and plan</source>
        <translation>Parameter und Plan</translation>
    </message>
    <message>
        <source>Part of a path, a pattern such as customers/47*, or COLUMN=VALUE of the table that lists the images</source>
        <translation>Teil eines Pfads, ein Muster wie kunden/47* oder SPALTE=WERT der Tabelle, die die Bilder aufführt</translation>
    </message>
    <message>
        <source>Part of the data</source>
        <translation>Teil der Daten</translation>
    </message>
    <message>
        <source>Partly corrected</source>
        <translation>Teilweise berichtigt</translation>
    </message>
    <message>
        <source>Partly corrected</source>
        <comment>verdict</comment>
        <translation>Teilweise berichtigt</translation>
    </message>
    <message>
        <source>Partly forgotten</source>
        <translation>Teilweise vergessen</translation>
    </message>
    <message>
        <source>Partly forgotten</source>
        <comment>verdict</comment>
        <translation>Teils vergessen</translation>
    </message>
    <message>
        <source>Path of the exported file</source>
        <translation>Pfad der exportierten Datei</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>Pause</translation>
    </message>
    <message>
        <source>Paused</source>
        <translation>Pausiert</translation>
    </message>
    <message>
        <source>Paused at {share}</source>
        <translation>Pausiert bei {share}</translation>
    </message>
    <message>
        <source>Paused · {step}</source>
        <translation>Pausiert · {step}</translation>
    </message>
    <message>
        <source>Pausing after this step · {step}</source>
        <translation>Pausiert nach diesem Schritt · {step}</translation>
    </message>
    <message>
        <source>Phase, round, step</source>
        <translation>Phase, Runde, Schritt</translation>
    </message>
    <message>
        <source>Plain keys in float32, for torch.load with weights_only.</source>
        <translation>Einfache Schlüssel in float32, für torch.load mit weights_only.</translation>
    </message>
    <message>
        <source>Plan</source>
        <translation>Plan</translation>
    </message>
    <message>
        <source>Play the run a&amp;gain</source>
        <translation>Lauf erneut ab&amp;spielen</translation>
    </message>
    <message>
        <source>Play the run again</source>
        <translation>Lauf erneut abspielen</translation>
    </message>
    <message>
        <source>Plots</source>
        <translation>Diagramme</translation>
    </message>
    <message>
        <source>Plots of the comparison</source>
        <translation>Diagramme des Vergleichs</translation>
    </message>
    <message>
        <source>Plots of the result</source>
        <translation>Diagramme des Ergebnisses</translation>
    </message>
    <message>
        <source>PNG image (*.png)</source>
        <translation>PNG-Bild (*.png)</translation>
    </message>
    <message>
        <source>Point at an image to find it in the other pictures; click to keep it.</source>
        <translation>Zeigen Sie auf ein Bild, um es in den anderen Karten zu finden; ein Klick hält es fest.</translation>
    </message>
    <message>
        <source>Pointer</source>
        <translation>Zeiger</translation>
    </message>
    <message>
        <source>Possible trigger</source>
        <translation>Möglicher Auslöser</translation>
    </message>
    <message>
        <source>Prec&amp;ision</source>
        <translation>Zahlenf&amp;ormat</translation>
    </message>
    <message>
        <source>Preferences</source>
        <translation>Einstellungen</translation>
    </message>
    <message>
        <source>Preparing</source>
        <translation>Vorbereitung</translation>
    </message>
    <message>
        <source>preparing the search for settings</source>
        <translation>die Suche nach Einstellungen wird vorbereitet</translation>
    </message>
    <message>
        <source>Preparing · {what}</source>
        <translation>Vorbereitung · {what}</translation>
    </message>
    <message>
        <source>Preprocessing</source>
        <translation>Vorverarbeitung</translation>
    </message>
    <message>
        <source>Preset</source>
        <translation>Voreinstellung</translation>
    </message>
    <message>
        <source>pretrained weights · {name}</source>
        <translation>vortrainierten Gewichten · {name}</translation>
    </message>
    <message>
        <source>Pretrained weights…</source>
        <translation>Vortrainierte Gewichte …</translation>
    </message>
    <message>
        <source>Previous image</source>
        <translation>Voriges Bild</translation>
    </message>
    <message>
        <source>Probability of the class the model names</source>
        <translation>Wahrscheinlichkeit der Klasse, die das Modell nennt</translation>
    </message>
    <message>
        <source>problem</source>
        <translation>Problem</translation>
    </message>
    <message>
        <source>Processes that share each step's images, as on a machine with several GPUs: how many?</source>
        <translation>Prozesse, die sich die Bilder jedes Schritts teilen, etwa auf einem Rechner mit mehreren GPUs: wie viele?</translation>
    </message>
    <message>
        <source>profile</source>
        <translation>Profil</translation>
    </message>
    <message>
        <source>Progress of the map</source>
        <translation>Fortschritt der Karte</translation>
    </message>
    <message>
        <source>Progress of the run</source>
        <translation>Fortschritt des Laufs</translation>
    </message>
    <message>
        <source>Progress of the search</source>
        <translation>Fortschritt der Suche</translation>
    </message>
    <message>
        <source>Progress of what goes on</source>
        <translation>Fortschritt dessen, was vorgeht</translation>
    </message>
    <message>
        <source>Project</source>
        <translation>Projekt</translation>
    </message>
    <message>
        <source>Projection</source>
        <translation>Projektion</translation>
    </message>
    <message>
        <source>PyTorch could not be loaded</source>
        <translation>PyTorch konnte nicht geladen werden</translation>
    </message>
    <message>
        <source>PyTorch state dict (.pt)</source>
        <translation>PyTorch-State-Dict (.pt)</translation>
    </message>
    <message numerus="yes">
        <source>Queue %n runs of {name}?</source>
        <translation>
            <numerusform>%n Lauf von {name} einreihen?</numerusform>
            <numerusform>%n Läufe von {name} einreihen?</numerusform>
        </translation>
    </message>
    <message>
        <source>Queue run</source>
        <translation>Lauf einreihen</translation>
    </message>
    <message>
        <source>Queue runs</source>
        <translation>Einreihen</translation>
    </message>
    <message>
        <source>Queue the runs of a batch file (TOML)</source>
        <translation>Die Läufe einer Stapeldatei (TOML) einreihen</translation>
    </message>
    <message>
        <source>Queue the runs of this batch that have no result yet</source>
        <translation>Die Läufe dieses Stapels einreihen, die noch kein Ergebnis haben</translation>
    </message>
    <message>
        <source>Quick checks</source>
        <translation>Schnelle Prüfungen</translation>
    </message>
    <message>
        <source>Quit anyway</source>
        <translation>Trotzdem beenden</translation>
    </message>
    <message>
        <source>Quit, work goes on</source>
        <translation>Beenden, Arbeit läuft weiter</translation>
    </message>
    <message>
        <source>Rail</source>
        <translation>Seitenleiste</translation>
    </message>
    <message>
        <source>Random</source>
        <translation>Zufall</translation>
    </message>
    <message>
        <source>random directions: {share}</source>
        <translation>zufällige Richtungen: {share}</translation>
    </message>
    <message>
        <source>Rank agreement</source>
        <translation>Rangvergleich</translation>
    </message>
    <message>
        <source>Ranks</source>
        <translation>Ränge</translation>
    </message>
    <message>
        <source>Reading the report of the run</source>
        <translation>Der Bericht des Laufs wird gelesen</translation>
    </message>
    <message>
        <source>ready</source>
        <translation>bereit</translation>
    </message>
    <message>
        <source>Ready to start</source>
        <translation>Bereit zum Start</translation>
    </message>
    <message>
        <source>Recent</source>
        <translation>Zuletzt</translation>
    </message>
    <message>
        <source>Recent data</source>
        <translation>Zuletzt geöffnete Daten</translation>
    </message>
    <message>
        <source>Recent files and the window's places are not known. {error}</source>
        <translation>Zuletzt geöffnete Dateien und die Anordnung des Fensters sind nicht bekannt. {error}</translation>
    </message>
    <message>
        <source>Recent models</source>
        <translation>Zuletzt geöffnete Modelle</translation>
    </message>
    <message>
        <source>Recipe</source>
        <translation>Rezept</translation>
    </message>
    <message>
        <source>Recover</source>
        <translation>Erholen</translation>
    </message>
    <message>
        <source>Rectangle</source>
        <translation>Rechteck</translation>
    </message>
    <message>
        <source>Reference</source>
        <translation>Referenz</translation>
    </message>
    <message>
        <source>References</source>
        <translation>Vergleichsmodelle</translation>
    </message>
    <message>
        <source>Relabelling</source>
        <translation>Neue Label</translation>
    </message>
    <message>
        <source>Relearn</source>
        <translation>Lernen</translation>
    </message>
    <message>
        <source>Relearning</source>
        <translation>Wiederlernen</translation>
    </message>
    <message>
        <source>Relearning time</source>
        <translation>Zeit zum Wiederlernen</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Entfernen</translation>
    </message>
    <message>
        <source>Remove from the selection while drawing</source>
        <translation>Beim Zeichnen aus der Auswahl nehmen</translation>
    </message>
    <message>
        <source>Remove what is ticked</source>
        <translation>Angekreuztes entfernen</translation>
    </message>
    <message>
        <source>Remove {what}? The model, its report and the hashes stay.</source>
        <translation>{what} entfernen? Das Modell, sein Bericht und die Prüfsummen bleiben.</translation>
    </message>
    <message numerus="yes">
        <source>Removed %n files, {size}.</source>
        <translation>
            <numerusform>1 Datei entfernt, {size}.</numerusform>
            <numerusform>%n Dateien entfernt, {size}.</numerusform>
        </translation>
    </message>
    <message>
        <source>Removes chosen classes or images from a trained image classifier, shows what happens inside the network, measures how far it got and exports the result.</source>
        <translation>Entfernt gewählte Klassen oder Bilder aus einem trainierten Bildklassifikator, zeigt, was dabei im Netz geschieht, misst, wie weit es gekommen ist, und exportiert das Ergebnis.</translation>
    </message>
    <message>
        <source>Remove…</source>
        <translation>Entfernen …</translation>
    </message>
    <message>
        <source>Replace</source>
        <translation>Ersetzen</translation>
    </message>
    <message>
        <source>Report…</source>
        <translation>Bericht …</translation>
    </message>
    <message>
        <source>Reset</source>
        <translation>Zurücksetzen</translation>
    </message>
    <message>
        <source>Reset all</source>
        <translation>Alle zurücksetzen</translation>
    </message>
    <message>
        <source>Reset to default</source>
        <translation>Auf Vorgaben zurücksetzen</translation>
    </message>
    <message>
        <source>Reset view</source>
        <translation>Alles zeigen</translation>
    </message>
    <message>
        <source>Reset {name}</source>
        <translation>{name} zurücksetzen</translation>
    </message>
    <message>
        <source>resnet18:stem=3,pool=max   or   network.py:make_network</source>
        <translation>resnet18:stem=3,pool=max   oder   network.py:make_network</translation>
    </message>
    <message>
        <source>Results of batches are listed here. Open a batch file (TOML), or drop one on the window, to queue its runs.</source>
        <translation>Hier stehen die Ergebnisse von Stapeln. Öffnen Sie eine Stapeldatei (TOML) oder ziehen Sie eine auf das Fenster, um ihre Läufe einzureihen.</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>Fortsetzen</translation>
    </message>
    <message>
        <source>Retain</source>
        <translation>Behalten</translation>
    </message>
    <message>
        <source>retain</source>
        <translation>behalten</translation>
    </message>
    <message>
        <source>Retain and forget accuracy over the run</source>
        <translation>Genauigkeit auf dem, was bleibt, und dem, was vergessen wird, über den Lauf</translation>
    </message>
    <message>
        <source>Retain features</source>
        <translation>Merkmale der behaltenen Bilder</translation>
    </message>
    <message>
        <source>retain images</source>
        <translation>Behaltensbilder</translation>
    </message>
    <message>
        <source>Retain set</source>
        <translation>Behaltensmenge</translation>
    </message>
    <message>
        <source>retain too low</source>
        <translation>Behalten zu niedrig</translation>
    </message>
    <message>
        <source>retain {accuracy}</source>
        <translation>behalten {accuracy}</translation>
    </message>
    <message>
        <source>Retain, %</source>
        <translation>Bleibt, %</translation>
    </message>
    <message>
        <source>Retrained</source>
        <translation>Neu trainiert</translation>
    </message>
    <message>
        <source>Retrained model</source>
        <translation>Neu trainiertes Modell</translation>
    </message>
    <message>
        <source>Retrained models</source>
        <translation>Neu trainierte Modelle</translation>
    </message>
    <message>
        <source>Retrained models begin where the original began. Pretrained weights may themselves hold the features of a forgotten class, so that they come back even after retraining.</source>
        <translation>Neu trainierte Modelle beginnen, wo das Original begann. Vortrainierte Gewichte können die Merkmale einer vergessenen Klasse selbst enthalten, sodass sie auch nach neuem Training wiederkehren.</translation>
    </message>
    <message>
        <source>Retrained models to compare the result with</source>
        <translation>Neu trainierte Modelle, mit denen das Ergebnis verglichen wird</translation>
    </message>
    <message>
        <source>Retrained models would begin with fresh weights. If this model began with pretrained ones, say so.</source>
        <translation>Neu trainierte Modelle würden mit neuen Gewichten beginnen. Begann dieses Modell mit vortrainierten, geben Sie das an.</translation>
    </message>
    <message>
        <source>retrained with a preset, the original's recipe is not known</source>
        <translation>neu trainiert mit einer Voreinstellung, das Rezept des Originals ist nicht bekannt</translation>
    </message>
    <message>
        <source>Return opens the menu to sort by one of them</source>
        <translation>Die Eingabetaste öffnet das Menü, um nach einem davon zu sortieren</translation>
    </message>
    <message>
        <source>Reverse the order</source>
        <translation>Reihenfolge umkehren</translation>
    </message>
    <message>
        <source>Review</source>
        <translation>Durchsehen</translation>
    </message>
    <message>
        <source>Right and wrong</source>
        <translation>Richtig und falsch</translation>
    </message>
    <message>
        <source>Right answers</source>
        <translation>Richtige Antworten</translation>
    </message>
    <message>
        <source>right on {share} of training images</source>
        <translation>richtig auf {share} der Trainingsbilder</translation>
    </message>
    <message>
        <source>round {number} of {count}</source>
        <translation>Runde {number} von {count}</translation>
    </message>
    <message>
        <source>Run</source>
        <translation>Lauf</translation>
    </message>
    <message>
        <source>Run &amp;checks</source>
        <translation>&amp;Prüfen</translation>
    </message>
    <message>
        <source>Run &amp;full checks</source>
        <translation>A&amp;lle Prüfungen</translation>
    </message>
    <message>
        <source>Run checks</source>
        <translation>Prüfen</translation>
    </message>
    <message>
        <source>Run checks to take this in.</source>
        <translation>Prüfen Sie, um das aufzunehmen.</translation>
    </message>
    <message>
        <source>Run full checks</source>
        <translation>Alle Prüfungen</translation>
    </message>
    <message>
        <source>Run the code</source>
        <translation>Code ausführen</translation>
    </message>
    <message>
        <source>Run the example</source>
        <translation>Beispiel starten</translation>
    </message>
    <message>
        <source>Running</source>
        <translation>Läuft</translation>
    </message>
    <message>
        <source>running</source>
        <translation>läuft</translation>
    </message>
    <message>
        <source>Running on the processor; {gpu} is free. Use it from the next run on.</source>
        <translation>Gerechnet wird auf dem Prozessor; {gpu} ist frei. Ab dem nächsten Lauf kann sie verwendet werden.</translation>
    </message>
    <message>
        <source>Runs</source>
        <translation>Läufe</translation>
    </message>
    <message>
        <source>Runs go in</source>
        <translation>Läufe gehen in</translation>
    </message>
    <message>
        <source>runs in another process</source>
        <translation>läuft in einem anderen Prozess</translation>
    </message>
    <message>
        <source>Runs of batch files by method and forget set, means over seeds</source>
        <translation>Läufe aus Stapeldateien nach Verfahren und Vergessensmenge, Mittel über Startwerte</translation>
    </message>
    <message>
        <source>Runs of several seeds as one, beside the retrained models</source>
        <translation>Läufe mehrerer Startwerte als eines, neben den neu trainierten Modellen</translation>
    </message>
    <message>
        <source>Runs that wait, next one first</source>
        <translation>Wartende Läufe, der nächste zuerst</translation>
    </message>
    <message>
        <source>Runs you start or open are listed here, also those started from a terminal.</source>
        <translation>Hier stehen Läufe, die Sie starten oder öffnen, auch solche aus einem Terminal.</translation>
    </message>
    <message>
        <source>S&amp;eeds</source>
        <translation>Start&amp;werte</translation>
    </message>
    <message>
        <source>safetensors</source>
        <translation>safetensors</translation>
    </message>
    <message>
        <source>Same format as the original</source>
        <translation>Gleiches Format wie das Original</translation>
    </message>
    <message>
        <source>same pixels</source>
        <translation>gleiche Pixel</translation>
    </message>
    <message>
        <source>Sample forgetting</source>
        <translation>Bilder vergessen</translation>
    </message>
    <message>
        <source>Samples</source>
        <translation>Beispiele</translation>
    </message>
    <message>
        <source>Samples seen</source>
        <translation>Gesehene Bilder</translation>
    </message>
    <message>
        <source>Save as…</source>
        <translation>Speichern unter …</translation>
    </message>
    <message>
        <source>Save GIF…</source>
        <translation>GIF speichern …</translation>
    </message>
    <message>
        <source>Save its state dict, or open it anyway if you trust who made it.</source>
        <translation>Speichern Sie das State-Dict, oder öffnen Sie die Datei trotzdem, wenn Sie ihrer Quelle vertrauen.</translation>
    </message>
    <message>
        <source>Save PNG, {scale}×…</source>
        <translation>PNG speichern, {scale}× …</translation>
    </message>
    <message>
        <source>Save report</source>
        <translation>Bericht speichern</translation>
    </message>
    <message>
        <source>Save SVG…</source>
        <translation>SVG speichern …</translation>
    </message>
    <message>
        <source>Save table</source>
        <translation>Tabelle speichern</translation>
    </message>
    <message>
        <source>Save table…</source>
        <translation>Tabelle speichern …</translation>
    </message>
    <message>
        <source>Save the table…</source>
        <translation>Die Tabelle speichern …</translation>
    </message>
    <message>
        <source>Save values as CSV…</source>
        <translation>Werte als CSV speichern …</translation>
    </message>
    <message>
        <source>Save {title}</source>
        <translation>{title} speichern</translation>
    </message>
    <message>
        <source>Saved as {name}.</source>
        <translation>Gespeichert als {name}.</translation>
    </message>
    <message>
        <source>Saved {name}</source>
        <translation>{name} gespeichert</translation>
    </message>
    <message>
        <source>saving a checkpoint after this step</source>
        <translation>nach diesem Schritt wird ein Checkpoint gespeichert</translation>
    </message>
    <message>
        <source>Says whether what was forgotten comes back when weights are rounded. Opens the run's data.</source>
        <translation>Sagt, ob das Vergessene zurückkommt, wenn Gewichte gerundet werden. Öffnet die Daten des Laufs.</translation>
    </message>
    <message>
        <source>Says {name}, {share} sure</source>
        <translation>Sagt {name}, zu {share} sicher</translation>
    </message>
    <message>
        <source>Scale of the losses</source>
        <translation>Skala der Verluste</translation>
    </message>
    <message>
        <source>Search</source>
        <translation>Suchen</translation>
    </message>
    <message>
        <source>Search classes</source>
        <translation>Klassen suchen</translation>
    </message>
    <message>
        <source>Search file names</source>
        <translation>Dateinamen suchen</translation>
    </message>
    <message>
        <source>Search for settings of {method}</source>
        <translation>Einstellungen für {method} suchen</translation>
    </message>
    <message>
        <source>Search method, forget set, model</source>
        <translation>Verfahren, Menge, Modell suchen</translation>
    </message>
    <message>
        <source>Search methods</source>
        <translation>Verfahren suchen</translation>
    </message>
    <message>
        <source>Search settings</source>
        <translation>Einstellungen suchen</translation>
    </message>
    <message>
        <source>Search settings of {method}</source>
        <translation>Einstellungen von {method} suchen</translation>
    </message>
    <message>
        <source>Search settings…</source>
        <translation>Einstellungen suchen …</translation>
    </message>
    <message>
        <source>Search the guide</source>
        <translation>Im Handbuch suchen</translation>
    </message>
    <message>
        <source>See the details</source>
        <translation>Einzelheiten ansehen</translation>
    </message>
    <message>
        <source>Seed</source>
        <translation>Startwert</translation>
    </message>
    <message>
        <source>Seed {number}</source>
        <translation>Startwert {number}</translation>
    </message>
    <message>
        <source>seed {number}</source>
        <translation>Startwert {number}</translation>
    </message>
    <message>
        <source>Seed {number} · {state}</source>
        <translation>Startwert {number} · {state}</translation>
    </message>
    <message>
        <source>Seen before</source>
        <translation>Schon gesehen</translation>
    </message>
    <message>
        <source>separate test split</source>
        <translation>eigener Testteil</translation>
    </message>
    <message>
        <source>set aside · seen before</source>
        <translation>zurückgelegt · schon gesehen</translation>
    </message>
    <message>
        <source>set by hand</source>
        <translation>von Hand eingestellt</translation>
    </message>
    <message>
        <source>Set preprocessing…</source>
        <translation>Vorverarbeitung einstellen …</translation>
    </message>
    <message>
        <source>Set up a new run with the same model, data, forget set and settings</source>
        <translation>Einen neuen Lauf mit demselben Modell, denselben Daten, derselben Vergessensmenge und denselben Einstellungen vorbereiten</translation>
    </message>
    <message>
        <source>Settings</source>
        <translation>Einstellungen</translation>
    </message>
    <message>
        <source>Settings that differ</source>
        <translation>Einstellungen, die sich unterscheiden</translation>
    </message>
    <message>
        <source>Settings that were tried, best first</source>
        <translation>Versuchte Einstellungen, die besten zuerst</translation>
    </message>
    <message>
        <source>Settings tried.</source>
        <translation>Einstellungen probiert.</translation>
    </message>
    <message>
        <source>Several forget sets, methods and seeds on one model and data, written down in a file. Every combination is a run, and the results are one table.</source>
        <translation>Mehrere Vergessensmengen, Verfahren und Startwerte für ein Modell und seine Daten, in einer Datei aufgeschrieben. Jede Kombination ist ein Lauf, und die Ergebnisse sind eine Tabelle.</translation>
    </message>
    <message>
        <source>Several processes</source>
        <translation>Mehreren Prozessen</translation>
    </message>
    <message>
        <source>Share of each set's energy in each retain direction, %</source>
        <translation>Anteil der Energie jeder Menge in jeder Behaltensrichtung, %</translation>
    </message>
    <message>
        <source>Share of forget features inside the k leading retain directions</source>
        <translation>Anteil der Vergessensmerkmale in den k führenden Behaltensrichtungen</translation>
    </message>
    <message>
        <source>Share of forget features inside the retain space</source>
        <translation>Anteil der Vergessensmerkmale im Behaltensraum</translation>
    </message>
    <message>
        <source>Share of images, %</source>
        <translation>Anteil der Bilder, %</translation>
    </message>
    <message>
        <source>Share of the class's test images that the model gets right</source>
        <translation>Anteil der Testbilder der Klasse, die das Modell richtig erkennt</translation>
    </message>
    <message>
        <source>Share of the class's training images in the forget set</source>
        <translation>Anteil der Trainingsbilder der Klasse in der Vergessensmenge</translation>
    </message>
    <message>
        <source>Share of the forget features' energy that lies in the leading directions of the retain features, from 0 to 1. The goal is the value of a retrained model, not 1.</source>
        <translation>Anteil der Energie der zu vergessenden Merkmale, der in den führenden Richtungen der zu behaltenden Merkmale liegt, von 0 bis 1. Das Ziel ist der Wert eines neu trainierten Modells, nicht 1.</translation>
    </message>
    <message>
        <source>Share of unseen forget images that the model calls each class, %</source>
        <translation>Anteil der ungesehenen Vergessensbilder, die das Modell je Klasse nennt, %</translation>
    </message>
    <message>
        <source>Share of unseen images of other classes that are called the trigger's class with the patch on them</source>
        <translation>Anteil ungesehener Bilder anderer Klassen, die mit dem Muster darauf der Klasse des Auslösers zugeordnet werden</translation>
    </message>
    <message>
        <source>Show &amp;log</source>
        <translation>&amp;Protokoll zeigen</translation>
    </message>
    <message>
        <source>Show accuracy on the training images</source>
        <translation>Genauigkeit auf den Trainingsbildern zeigen</translation>
    </message>
    <message>
        <source>Show all images</source>
        <translation>Alle Bilder zeigen</translation>
    </message>
    <message>
        <source>Show everything again and follow the newest step</source>
        <translation>Wieder alles zeigen und dem neuesten Schritt folgen</translation>
    </message>
    <message>
        <source>Show its images</source>
        <translation>Ihre Bilder zeigen</translation>
    </message>
    <message>
        <source>Show on the map</source>
        <translation>Auf der Karte zeigen</translation>
    </message>
    <message>
        <source>Show the whole map</source>
        <translation>Die ganze Karte zeigen</translation>
    </message>
    <message>
        <source>Show…</source>
        <translation>Zeigen …</translation>
    </message>
    <message>
        <source>Similar images kept</source>
        <translation>Ähnliche Bilder behalten</translation>
    </message>
    <message>
        <source>Similar images kept: not known. {reason}</source>
        <translation>Ähnliche Bilder behalten: nicht bekannt. {reason}</translation>
    </message>
    <message>
        <source>Similar images kept: {same}, nearly the same: {near}</source>
        <translation>Ähnliche Bilder behalten: {same}, beinahe gleich: {near}</translation>
    </message>
    <message>
        <source>Size</source>
        <translation>Größe</translation>
    </message>
    <message>
        <source>Size of thumbnails</source>
        <translation>Größe der Vorschaubilder</translation>
    </message>
    <message>
        <source>Size, mean and spread that images are brought to before the network. Wrong values look like a bad model.</source>
        <translation>Größe, Mittelwert und Streuung, auf die Bilder vor dem Netz gebracht werden. Falsche Werte sehen wie ein schlechtes Modell aus.</translation>
    </message>
    <message>
        <source>Smallest margin</source>
        <translation>Kleinster Abstand der Logits</translation>
    </message>
    <message>
        <source>Smoothing of the loss curves</source>
        <translation>Glättung der Verlustkurven</translation>
    </message>
    <message>
        <source>Smoothing: a moving mean over the faint line of every step</source>
        <translation>Glättung: ein gleitendes Mittel über der blassen Linie aller Schritte</translation>
    </message>
    <message>
        <source>So do models that are retrained for it. These weights may themselves hold the features of a forgotten class: being close to a retrained model is then no proof that they are gone.</source>
        <translation>So beginnen auch Modelle, die dafür neu trainiert werden. Diese Gewichte können die Merkmale einer vergessenen Klasse selbst enthalten: Nähe zu einem neu trainierten Modell ist dann kein Beweis, dass sie weg sind.</translation>
    </message>
    <message>
        <source>Sort by</source>
        <translation>Sortieren nach</translation>
    </message>
    <message>
        <source>Space plays and holds, arrows go step by step</source>
        <translation>Die Leertaste spielt ab und hält an, Pfeiltasten gehen Schritt für Schritt</translation>
    </message>
    <message>
        <source>Spectra</source>
        <translation>Spektren</translation>
    </message>
    <message>
        <source>Start</source>
        <translation>Start</translation>
    </message>
    <message>
        <source>Start again</source>
        <translation>Neu starten</translation>
    </message>
    <message>
        <source>Start again…</source>
        <translation>Neu beginnen …</translation>
    </message>
    <message>
        <source>Start earlier</source>
        <translation>Früher beginnen</translation>
    </message>
    <message>
        <source>Start later</source>
        <translation>Später beginnen</translation>
    </message>
    <message>
        <source>Start the rest</source>
        <translation>Den Rest starten</translation>
    </message>
    <message>
        <source>Start training</source>
        <translation>Training starten</translation>
    </message>
    <message>
        <source>Start unlearning</source>
        <translation>Verlernen starten</translation>
    </message>
    <message>
        <source>Start unlearning (Ctrl+Return)</source>
        <translation>Verlernen starten (Strg+Return)</translation>
    </message>
    <message>
        <source>Start what was waiting when the program ended?</source>
        <translation>Starten, was beim Beenden des Programms gewartet hat?</translation>
    </message>
    <message>
        <source>Started</source>
        <translation>Begonnen</translation>
    </message>
    <message>
        <source>Starting…</source>
        <translation>Wird gestartet …</translation>
    </message>
    <message>
        <source>State</source>
        <translation>Zustand</translation>
    </message>
    <message>
        <source>State…</source>
        <translation>Angeben …</translation>
    </message>
    <message>
        <source>Stays.</source>
        <translation>Bleibt.</translation>
    </message>
    <message>
        <source>Step</source>
        <translation>Schritt</translation>
    </message>
    <message>
        <source>Step shown in all plots</source>
        <translation>Schritt, den alle Diagramme zeigen</translation>
    </message>
    <message>
        <source>step {step}</source>
        <translation>Schritt {step}</translation>
    </message>
    <message>
        <source>step {step} of {all}</source>
        <translation>Schritt {step} von {all}</translation>
    </message>
    <message>
        <source>step {step} of {steps}</source>
        <translation>Schritt {step} von {steps}</translation>
    </message>
    <message>
        <source>step {step} · effective rank: {ranks}</source>
        <translation>Schritt {step} · effektiver Rang: {ranks}</translation>
    </message>
    <message>
        <source>Step {step}: the forget points' middle is {way} radii from where it was.</source>
        <translation>Schritt {step}: Die Mitte der Vergessenspunkte ist {way} Radien von ihrem alten Ort entfernt.</translation>
    </message>
    <message>
        <source>Steps</source>
        <translation>Schritte</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>Anhalten</translation>
    </message>
    <message>
        <source>Stop and &amp;keep</source>
        <translation>Anhalten und &amp;behalten</translation>
    </message>
    <message>
        <source>Stop and keep</source>
        <translation>Anhalten und behalten</translation>
    </message>
    <message>
        <source>Stop and quit</source>
        <translation>Anhalten und beenden</translation>
    </message>
    <message>
        <source>Stop checks</source>
        <translation>Prüfungen anhalten</translation>
    </message>
    <message>
        <source>Stop the run first.</source>
        <translation>Halten Sie den Lauf zuerst an.</translation>
    </message>
    <message>
        <source>Stop, save and quit</source>
        <translation>Anhalten, speichern und beenden</translation>
    </message>
    <message>
        <source>Stopped</source>
        <translation>Angehalten</translation>
    </message>
    <message numerus="yes">
        <source>Stopped after %n tries.</source>
        <translation>
            <numerusform>Nach 1 Versuch angehalten.</numerusform>
            <numerusform>Nach %n Versuchen angehalten.</numerusform>
        </translation>
    </message>
    <message>
        <source>Stopped at {step}. The model is kept as it was then.</source>
        <translation>Angehalten bei {step}. Das Modell bleibt, wie es da war.</translation>
    </message>
    <message>
        <source>Stopped early</source>
        <translation>Früh angehalten</translation>
    </message>
    <message>
        <source>Stopping</source>
        <translation>Hält an</translation>
    </message>
    <message>
        <source>Stopping after this step</source>
        <translation>Hält nach diesem Schritt an</translation>
    </message>
    <message>
        <source>Stopping · {what}</source>
        <translation>Hält an · {what}</translation>
    </message>
    <message>
        <source>Such entries are kept in {folder}.</source>
        <translation>Solche Einträge liegen jetzt in {folder}.</translation>
    </message>
    <message>
        <source>SVG drawing (*.svg)</source>
        <translation>SVG-Zeichnung (*.svg)</translation>
    </message>
    <message>
        <source>System</source>
        <translation>System</translation>
    </message>
    <message numerus="yes">
        <source>t-SNE of %n images</source>
        <translation>
            <numerusform>t-SNE von %n Bild</numerusform>
            <numerusform>t-SNE von %n Bildern</numerusform>
        </translation>
    </message>
    <message>
        <source>t-SNE of {some}; others beside their neighbours</source>
        <translation>t-SNE von {some}; die anderen neben ihren Nachbarn</translation>
    </message>
    <message>
        <source>Take out</source>
        <translation>Herausnehmen</translation>
    </message>
    <message>
        <source>Take them over</source>
        <translation>Übernehmen</translation>
    </message>
    <message>
        <source>Taken out of the training images, so the model has already seen them.</source>
        <translation>Den Trainingsbildern entnommen; das Modell hat sie also schon gesehen.</translation>
    </message>
    <message>
        <source>Teach the forget images other labels than their own.</source>
        <translation>Den Vergessensbildern andere Label als ihre eigenen beibringen.</translation>
    </message>
    <message>
        <source>Test</source>
        <translation>Test</translation>
    </message>
    <message>
        <source>Test image {number}: never trained on</source>
        <translation>Testbild {number}: nie zum Training benutzt</translation>
    </message>
    <message>
        <source>Test images</source>
        <translation>Testbilder</translation>
    </message>
    <message>
        <source>test images</source>
        <translation>Testbilder</translation>
    </message>
    <message>
        <source>Test images were never trained on, so there is nothing to remove.</source>
        <translation>Mit Testbildern wurde nie trainiert, also gibt es nichts zu entfernen.</translation>
    </message>
    <message numerus="yes">
        <source>The %n most alike pairs are shown. Once they are added, the others are found again.</source>
        <translation>
            <numerusform>Das ähnlichste Paar wird gezeigt. Ist es hinzugefügt, werden die anderen wieder gefunden.</numerusform>
            <numerusform>Die %n ähnlichsten Paare werden gezeigt. Sind sie hinzugefügt, werden die anderen wieder gefunden.</numerusform>
        </translation>
    </message>
    <message>
        <source>the architecture FILE.py:FACTORY</source>
        <translation>die Architektur DATEI.py:FUNKTION</translation>
    </message>
    <message>
        <source>The batch file was not opened</source>
        <translation>Die Stapeldatei wurde nicht geöffnet</translation>
    </message>
    <message>
        <source>The batch's results will not be listed together</source>
        <translation>Die Ergebnisse des Stapels werden nicht gemeinsam aufgelistet</translation>
    </message>
    <message>
        <source>The box chooses all classes shown, or none.</source>
        <translation>Das Kästchen wählt alle gezeigten Klassen oder keine.</translation>
    </message>
    <message>
        <source>The check ended early. {reason}</source>
        <translation>Die Prüfung endete früh. {reason}</translation>
    </message>
    <message>
        <source>The check failed. {why}</source>
        <translation>Die Prüfung schlug fehl. {why}</translation>
    </message>
    <message>
        <source>The check under way has not come to this yet.</source>
        <translation>Die laufende Prüfung ist noch nicht so weit.</translation>
    </message>
    <message>
        <source>The checkpoint does not hold class names.</source>
        <translation>Der Checkpoint enthält keine Klassennamen.</translation>
    </message>
    <message>
        <source>The checkpoint was not exported</source>
        <translation>Der Checkpoint wurde nicht exportiert</translation>
    </message>
    <message>
        <source>The code in {files} runs with your rights: it can read, change and send your files, and nothing here can stop it.</source>
        <translation>Der Code in {files} läuft mit Ihren Rechten: Er kann Ihre Dateien lesen, ändern und versenden, und nichts hier kann ihn daran hindern.</translation>
    </message>
    <message>
        <source>The data</source>
        <translation>Die Daten</translation>
    </message>
    <message>
        <source>The data it was trained on, or a part of it.</source>
        <translation>Die Daten, auf denen es trainiert wurde, oder ein Teil davon.</translation>
    </message>
    <message>
        <source>The details can be copied for a report.</source>
        <translation>Die Einzelheiten können für einen Bericht kopiert werden.</translation>
    </message>
    <message>
        <source>The eigenvalues of the features' Gram matrix, largest first. They show how many directions a set of images uses, and how strongly.</source>
        <translation>Die Eigenwerte der Gram-Matrix der Merkmale, der größte zuerst. Sie zeigen, wie viele Richtungen eine Menge von Bildern nutzt und wie stark.</translation>
    </message>
    <message>
        <source>The ensembles could not be measured</source>
        <translation>Die Ensembles konnten nicht gemessen werden</translation>
    </message>
    <message>
        <source>The estimate could not be made</source>
        <translation>Die Schätzung ist nicht gelungen</translation>
    </message>
    <message>
        <source>The example</source>
        <translation>Das Beispiel</translation>
    </message>
    <message>
        <source>The file does not tell its input size; it follows from the data.</source>
        <translation>Die Datei sagt ihre Eingabegröße nicht; sie folgt aus den Daten.</translation>
    </message>
    <message>
        <source>The files were not opened</source>
        <translation>Die Dateien wurden nicht geöffnet</translation>
    </message>
    <message>
        <source>The folder of this run is gone: {path}</source>
        <translation>Der Ordner dieses Laufs ist nicht mehr da: {path}</translation>
    </message>
    <message>
        <source>the forget images</source>
        <translation>den Vergessensbildern</translation>
    </message>
    <message>
        <source>The forget list of one of these runs was removed.</source>
        <translation>Die Vergessensliste eines dieser Läufe wurde entfernt.</translation>
    </message>
    <message>
        <source>The forget list of this run was removed, so it cannot be checked again.</source>
        <translation>Die Vergessensliste dieses Laufs wurde entfernt; er kann nicht noch einmal geprüft werden.</translation>
    </message>
    <message>
        <source>The forget list of this run was removed, so nobody knows which images must not come back.</source>
        <translation>Die Vergessensliste dieses Laufs wurde entfernt; niemand weiß, welche Bilder nicht zurückkommen dürfen.</translation>
    </message>
    <message>
        <source>The forget set could not be read</source>
        <translation>Die Vergessensmenge konnte nicht gelesen werden</translation>
    </message>
    <message>
        <source>The forget set is one or more whole classes. A retrained model then does not know them at all.</source>
        <translation>Die Vergessensmenge besteht aus einer oder mehreren ganzen Klassen. Ein neu trainiertes Modell kennt sie dann gar nicht.</translation>
    </message>
    <message>
        <source>The forget set is some images of classes that stay. A retrained model still recognises most of them.</source>
        <translation>Die Vergessensmenge besteht aus einigen Bildern von Klassen, die bleiben. Ein neu trainiertes Modell erkennt die meisten von ihnen trotzdem.</translation>
    </message>
    <message>
        <source>The forget set, the model or the data were changed after this run.</source>
        <translation>Vergessensmenge, Modell oder Daten wurden nach diesem Lauf geändert.</translation>
    </message>
    <message>
        <source>the goal is the retrained value, not 1</source>
        <translation>Ziel: der neu trainierte Wert</translation>
    </message>
    <message>
        <source>The guide was not installed with the program: {file} is missing.</source>
        <translation>Das Handbuch wurde nicht mit dem Programm installiert: {file} fehlt.</translation>
    </message>
    <message>
        <source>The image after</source>
        <translation>Das Bild nachher</translation>
    </message>
    <message>
        <source>The image before</source>
        <translation>Das Bild vorher</translation>
    </message>
    <message>
        <source>The images could not be arranged</source>
        <translation>Die Bilder konnten nicht angeordnet werden</translation>
    </message>
    <message>
        <source>The images of this data have no file names.</source>
        <translation>Die Bilder dieser Daten haben keine Dateinamen.</translation>
    </message>
    <message>
        <source>The images to forget are chosen here. First open the data the model was trained on.</source>
        <translation>Hier werden die zu vergessenden Bilder gewählt. Öffnen Sie zuerst die Daten, auf denen das Modell trainiert wurde.</translation>
    </message>
    <message>
        <source>The last project</source>
        <translation>Das letzte Projekt</translation>
    </message>
    <message>
        <source>The log folder holds what is known about it.</source>
        <translation>Im Protokollordner steht, was darüber bekannt ist.</translation>
    </message>
    <message>
        <source>The map begins with the first measurement.</source>
        <translation>Die Karte beginnt mit der ersten Messung.</translation>
    </message>
    <message>
        <source>The map shows two of many directions, so it says how much of the variance they hold. Retrained models are rotated in the same way.</source>
        <translation>Die Karte zeigt zwei von vielen Richtungen und sagt darum, wie viel der Varianz sie enthalten. Neu trainierte Modelle werden ebenso gedreht.</translation>
    </message>
    <message>
        <source>The message in full</source>
        <translation>Die ganze Meldung</translation>
    </message>
    <message>
        <source>The method {method} comes from the package {package}, which is not installed here.</source>
        <translation>Die Methode {method} kommt aus dem Paket {package}, das hier nicht installiert ist.</translation>
    </message>
    <message>
        <source>The model and data of {run}</source>
        <translation>Modell und Daten von {run}</translation>
    </message>
    <message>
        <source>The model has already seen them, so results on them look better than they are. They are called “seen before” wherever they appear. No file is moved.</source>
        <translation>Das Modell hat sie schon gesehen, darum sehen Ergebnisse auf ihnen besser aus, als sie sind. Sie heißen überall „schon gesehen“. Keine Datei wird verschoben.</translation>
    </message>
    <message>
        <source>The model of this run is gone.</source>
        <translation>Das Modell dieses Laufs ist nicht mehr da.</translation>
    </message>
    <message>
        <source>The model that was opened.</source>
        <translation>Das Modell, das geöffnet wurde.</translation>
    </message>
    <message>
        <source>The model that was opened. It is only read, never changed.</source>
        <translation>Das geöffnete Modell. Es wird nur gelesen, nie geändert.</translation>
    </message>
    <message>
        <source>The model the run began with</source>
        <translation>Das Modell, mit dem der Lauf begann</translation>
    </message>
    <message>
        <source>The model's features hold values that are not finite, so there is no map.</source>
        <translation>Die Merkmale des Modells enthalten Werte, die nicht endlich sind, deshalb gibt es keine Karte.</translation>
    </message>
    <message>
        <source>The model, the data or the forget set has changed since this search began, so its settings were not used.</source>
        <translation>Modell, Daten oder Vergessensmenge haben sich geändert, seit diese Suche begann; darum wurden ihre Einstellungen nicht verwendet.</translation>
    </message>
    <message>
        <source>The name of a machine as ssh knows it, and where the program is there, if it is not on its path.</source>
        <translation>Der Name eines Rechners, wie ssh ihn kennt, und wo das Programm dort liegt, wenn es nicht in seinem Pfad ist.</translation>
    </message>
    <message>
        <source>The network of this model is program code: {files}. Run it only if you trust who wrote it.</source>
        <translation>Das Netz dieses Modells ist Programmcode: {files}. Führen Sie ihn nur aus, wenn Sie seiner Quelle vertrauen.</translation>
    </message>
    <message>
        <source>The networks could not be listed</source>
        <translation>Die Netze konnten nicht aufgelistet werden</translation>
    </message>
    <message>
        <source>The networks that fit were not found</source>
        <translation>Die passenden Netze wurden nicht gefunden</translation>
    </message>
    <message>
        <source>the original as teacher</source>
        <translation>das Original als Lehrer</translation>
    </message>
    <message>
        <source>The original with only its classifier head edited: outputs forget, features do not. What it gets as well is no sign of forgetting.</source>
        <translation>Das Original, an dem nur der Klassifikationskopf geändert ist: Die Ausgaben vergessen, die Merkmale nicht. Was auch damit erreicht wird, ist kein Zeichen von Vergessen.</translation>
    </message>
    <message>
        <source>The original with only its last layer edited. Its outputs forget while its features do not.</source>
        <translation>Das Original, bei dem nur die letzte Schicht geändert ist. Seine Ausgaben vergessen, seine Merkmale nicht.</translation>
    </message>
    <message>
        <source>The other side is two retrained models or more: check the runs with more seeds.</source>
        <translation>Die andere Seite sind mindestens zwei neu trainierte Modelle: Prüfen Sie die Läufe mit mehr Startwerten.</translation>
    </message>
    <message>
        <source>The path is a folder. Name the file to write.</source>
        <translation>Der Pfad ist ein Ordner. Benennen Sie die Datei, die geschrieben wird.</translation>
    </message>
    <message>
        <source>The pictures could not be made: {reason}</source>
        <translation>Die Bilder konnten nicht erstellt werden: {reason}</translation>
    </message>
    <message>
        <source>The pictures need what each model says of the images.</source>
        <translation>Die Bilder brauchen, was jedes Modell von den Bildern sagt.</translation>
    </message>
    <message>
        <source>The pretrained weights that training began with</source>
        <translation>Die vortrainierten Gewichte, mit denen das Training begann</translation>
    </message>
    <message>
        <source>The pretrained weights to begin with</source>
        <translation>Die vortrainierten Gewichte für den Beginn</translation>
    </message>
    <message>
        <source>The program ended without closing last time.</source>
        <translation>Das Programm endete letztes Mal, ohne geschlossen zu werden.</translation>
    </message>
    <message>
        <source>The quick ones, more attacks, relearning and rounded weights; trains what these need</source>
        <translation>Die schnellen, weitere Angriffe, Wiederlernen und gerundete Gewichte; trainiert, was sie brauchen</translation>
    </message>
    <message>
        <source>The quickest start. What ends the window ends the run, which can be resumed.</source>
        <translation>Der schnellste Start. Was das Fenster beendet, beendet den Lauf, der dann fortgesetzt werden kann.</translation>
    </message>
    <message>
        <source>the rest lies within chance</source>
        <translation>der Rest liegt im Bereich des Zufalls</translation>
    </message>
    <message>
        <source>The result is being checked. {what}</source>
        <translation>Das Ergebnis wird geprüft. {what}</translation>
    </message>
    <message>
        <source>The result is judged on all requests together, against the model before the first of them.</source>
        <translation>Das Ergebnis wird über alle Anfragen zusammen beurteilt, gegen das Modell vor der ersten.</translation>
    </message>
    <message>
        <source>The result of this run.</source>
        <translation>Das Ergebnis dieses Laufs.</translation>
    </message>
    <message>
        <source>The result of {run}</source>
        <translation>Das Ergebnis von {run}</translation>
    </message>
    <message>
        <source>The retain features also give the space that alignment is measured in.</source>
        <translation>Die zu behaltenden Merkmale geben auch den Raum vor, in dem die Ausrichtung gemessen wird.</translation>
    </message>
    <message>
        <source>The run cannot be asked</source>
        <translation>Der Lauf kann nicht gefragt werden</translation>
    </message>
    <message>
        <source>The run cannot be resumed</source>
        <translation>Der Lauf kann nicht fortgesetzt werden</translation>
    </message>
    <message>
        <source>The run cannot be resumed, because it is being deleted.</source>
        <translation>Der Lauf kann nicht fortgesetzt werden, denn er wird gerade gelöscht.</translation>
    </message>
    <message>
        <source>The run cannot be started again</source>
        <translation>Der Lauf kann nicht neu begonnen werden</translation>
    </message>
    <message>
        <source>The run could not be started</source>
        <translation>Der Lauf konnte nicht gestartet werden</translation>
    </message>
    <message>
        <source>The run failed</source>
        <translation>Der Lauf ist fehlgeschlagen</translation>
    </message>
    <message>
        <source>The run was not opened</source>
        <translation>Der Lauf wurde nicht geöffnet</translation>
    </message>
    <message>
        <source>the run {name}</source>
        <translation>Lauf {name}</translation>
    </message>
    <message>
        <source>The run {name} opens.</source>
        <translation>Der Lauf {name} wird geöffnet.</translation>
    </message>
    <message>
        <source>The runs need {needed} on disk; {free} are free.</source>
        <translation>Die Läufe brauchen {needed} Speicherplatz; {free} sind frei.</translation>
    </message>
    <message>
        <source>The same images in each model's feature space</source>
        <translation>Dieselben Bilder im Merkmalsraum jedes Modells</translation>
    </message>
    <message>
        <source>The same images in one plane of the features of the model at the start. All features are rotated together to fit the start, so what still moves on the map is a real change.</source>
        <translation>Dieselben Bilder in einer Ebene der Merkmale des Modells zu Beginn. Alle Merkmale werden gemeinsam so gedreht, dass sie zum Beginn passen; was sich dann noch bewegt, ist eine echte Änderung.</translation>
    </message>
    <message>
        <source>The same network before any training. It shows what a measure gives by chance.</source>
        <translation>Dasselbe Netz vor jedem Training. Es zeigt, was ein Maß durch Zufall ergibt.</translation>
    </message>
    <message>
        <source>The same picture is among the training images again: the same pixels, or resized or recompressed.</source>
        <translation>Dasselbe Bild kommt unter den Trainingsbildern noch einmal vor: gleiche Pixel, oder skaliert oder neu komprimiert.</translation>
    </message>
    <message>
        <source>The same picture: moved, cut, turned, mirrored, saved anew</source>
        <translation>Dasselbe Bild: verschoben, beschnitten, gedreht, gespiegelt, neu gespeichert</translation>
    </message>
    <message>
        <source>The same pixels only</source>
        <translation>Nur gleiche Pixel</translation>
    </message>
    <message>
        <source>The score is the area under the ROC curve; the share found at few false alarms is given too.</source>
        <translation>Der Wert ist die Fläche unter der ROC-Kurve; dazu kommt der Anteil, der bei wenigen Fehlalarmen gefunden wird.</translation>
    </message>
    <message>
        <source>The search for settings failed. {why}</source>
        <translation>Die Suche nach Einstellungen schlug fehl. {why}</translation>
    </message>
    <message>
        <source>The search was stopped. What was tried is kept.</source>
        <translation>Die Suche wurde angehalten. Was probiert wurde, bleibt.</translation>
    </message>
    <message>
        <source>The sentence that says whether the result is closer to the original or to a retrained model. It follows written rules; the thresholds stand in the report.</source>
        <translation>Der Satz, der sagt, ob das Ergebnis näher am Original oder an einem neu trainierten Modell liegt. Er folgt festen Regeln; die Schwellen stehen im Bericht.</translation>
    </message>
    <message>
        <source>The settings file could not be read, so defaults are used. {error}</source>
        <translation>Die Einstellungsdatei konnte nicht gelesen werden, daher gelten die Voreinstellungen. {error}</translation>
    </message>
    <message>
        <source>The t-SNE map could not be made. {reason}</source>
        <translation>Die t-SNE-Karte konnte nicht erstellt werden. {reason}</translation>
    </message>
    <message>
        <source>The training failed. {why}</source>
        <translation>Das Training schlug fehl. {why}</translation>
    </message>
    <message numerus="yes">
        <source>The training images do not tell %n of those tried apart.</source>
        <translation>
            <numerusform>Die Trainingsbilder unterscheiden 1 der versuchten nicht.</numerusform>
            <numerusform>Die Trainingsbilder unterscheiden %n der versuchten nicht.</numerusform>
        </translation>
    </message>
    <message>
        <source>The training images to remove. All other training images are the retain set.</source>
        <translation>Die Trainingsbilder, die entfernt werden sollen. Alle anderen Trainingsbilder sind die Behaltensmenge.</translation>
    </message>
    <message>
        <source>The training was not started. {why}</source>
        <translation>Das Training wurde nicht gestartet. {why}</translation>
    </message>
    <message>
        <source>The training {name} has ended; its model is kept.</source>
        <translation>Das Training {name} ist zu Ende; sein Modell ist aufgehoben.</translation>
    </message>
    <message>
        <source>The trash does not take {runs}. Delete for good?</source>
        <translation>Nicht vom Papierkorb angenommen: {runs}. Endgültig löschen?</translation>
    </message>
    <message>
        <source>The two overlap by {share}</source>
        <translation>Die beiden überlappen zu {share}</translation>
    </message>
    <message>
        <source>The verdict comes with the check, once the run has ended.</source>
        <translation>Das Urteil kommt mit der Prüfung, wenn der Lauf beendet ist.</translation>
    </message>
    <message>
        <source>The verdict comes with the last of them.</source>
        <translation>Das Urteil kommt mit der letzten.</translation>
    </message>
    <message>
        <source>The wheel zooms, a double click opens an image or shows the whole map.</source>
        <translation>Das Rad vergrößert und verkleinert, ein Doppelklick öffnet ein Bild oder zeigt die ganze Karte.</translation>
    </message>
    <message>
        <source>Then its data.</source>
        <translation>Dann seine Daten.</translation>
    </message>
    <message>
        <source>There are no images in this part.</source>
        <translation>In diesem Teil gibt es keine Bilder.</translation>
    </message>
    <message>
        <source>There are no other runs yet.</source>
        <translation>Es gibt noch keine anderen Läufe.</translation>
    </message>
    <message>
        <source>There are no test images of this class.</source>
        <translation>Von dieser Klasse gibt es keine Testbilder.</translation>
    </message>
    <message>
        <source>There are no unseen images of what was forgotten, so there is nothing to show where they go.</source>
        <translation>Von dem Vergessenen gibt es keine ungesehenen Bilder; es ist also nicht zu zeigen, wohin sie gehen.</translation>
    </message>
    <message>
        <source>There are not several runs to check.</source>
        <translation>Es gibt nicht mehrere Läufe zu prüfen.</translation>
    </message>
    <message>
        <source>There is no finished run to check.</source>
        <translation>Es gibt keinen beendeten Lauf zu prüfen.</translation>
    </message>
    <message>
        <source>There is no report to open.</source>
        <translation>Es gibt keinen Bericht zu öffnen.</translation>
    </message>
    <message>
        <source>There is no run in view.</source>
        <translation>Es wird kein Lauf angezeigt.</translation>
    </message>
    <message>
        <source>There is no run to export.</source>
        <translation>Es gibt keinen Lauf zu exportieren.</translation>
    </message>
    <message>
        <source>There is none.</source>
        <translation>Es gibt keinen.</translation>
    </message>
    <message>
        <source>There is nothing to add.</source>
        <translation>Es gibt nichts hinzuzufügen.</translation>
    </message>
    <message>
        <source>There is nothing to redo.</source>
        <translation>Es gibt nichts zu wiederholen.</translation>
    </message>
    <message>
        <source>There is nothing to undo.</source>
        <translation>Es gibt nichts rückgängig zu machen.</translation>
    </message>
    <message>
        <source>There was nothing to say yet.</source>
        <translation>Noch gab es nichts zu sagen.</translation>
    </message>
    <message>
        <source>These are measurements, not proof. They show what the attacks tried here could find, on this data.</source>
        <translation>Das sind Messungen, kein Beweis. Sie zeigen, was die hier versuchten Angriffe auf diesen Daten finden konnten.</translation>
    </message>
    <message>
        <source>These fit the weights of {name} and compute differently. How images are prepared is found out anew for the one you choose, where nobody stated it.</source>
        <translation>Diese passen zu den Gewichten von {name} und rechnen verschieden. Wie Bilder vorbereitet werden, wird für die gewählte neu ermittelt, wo es nicht angegeben wurde.</translation>
    </message>
    <message>
        <source>These images should not have been as they are: wrong labels, poisoned images. The result is then judged by what they did to the model, not against retraining.</source>
        <translation>Diese Bilder hätten so nicht sein sollen: falsche Etiketten, vergiftete Bilder. Das Ergebnis wird dann daran gemessen, was sie im Modell bewirkt haben, nicht am Neutrainieren.</translation>
    </message>
    <message>
        <source>These images were set aside from the training images, so the model has already seen them. Results on them look better than they are.</source>
        <translation>Diese Bilder wurden von den Trainingsbildern zurückgelegt, das Modell hat sie also schon gesehen. Ergebnisse auf ihnen sehen besser aus, als sie sind.</translation>
    </message>
    <message>
        <source>These runs have the same settings in everything that decides a result.</source>
        <translation>Diese Läufe haben in allem, was ein Ergebnis bestimmt, dieselben Einstellungen.</translation>
    </message>
    <message numerus="yes">
        <source>They name %n images.</source>
        <translation>
            <numerusform>Sie nennen ein Bild.</numerusform>
            <numerusform>Sie nennen %n Bilder.</numerusform>
        </translation>
    </message>
    <message>
        <source>This file can run program code when opened, so it was not opened.</source>
        <translation>Diese Datei kann beim Öffnen Programmcode ausführen und wurde deshalb nicht geöffnet.</translation>
    </message>
    <message>
        <source>This is a fault of the application: {error}</source>
        <translation>Das ist ein Fehler des Programms: {error}</translation>
    </message>
    <message>
        <source>This is a fault of the application; the log has the details.</source>
        <translation>Das ist ein Fehler des Programms; Näheres steht im Protokoll.</translation>
    </message>
    <message>
        <source>This is the order in use.</source>
        <translation>Diese Reihenfolge gilt schon.</translation>
    </message>
    <message>
        <source>This method counts all forget images alike: the weights of the list change nothing.</source>
        <translation>Dieses Verfahren zählt alle Vergessensbilder gleich: Die Gewichte der Liste ändern nichts.</translation>
    </message>
    <message>
        <source>This report has no accuracies by class.</source>
        <translation>Dieser Bericht hat keine Genauigkeiten je Klasse.</translation>
    </message>
    <message>
        <source>This report holds no attack. Run checks to see how many forget images can be told apart from unseen ones.</source>
        <translation>Dieser Bericht enthält keinen Angriff. Prüfen Sie, um zu sehen, wie viele Vergessensbilder von ungesehenen zu unterscheiden sind.</translation>
    </message>
    <message>
        <source>This report holds no relearning curves. They are taken of whole classes that have unseen images.</source>
        <translation>Dieser Bericht enthält keine Kurven des Wiederlernens. Sie werden von ganzen Klassen genommen, die ungesehene Bilder haben.</translation>
    </message>
    <message>
        <source>This run cannot be read.</source>
        <translation>Dieser Lauf ist nicht lesbar.</translation>
    </message>
    <message>
        <source>This run is being deleted.</source>
        <translation>Dieser Lauf wird gerade gelöscht.</translation>
    </message>
    <message>
        <source>This run recorded no feature map: an earlier version made it, or its network was trained from scratch.</source>
        <translation>Dieser Lauf hat keine Merkmalskarte aufgezeichnet: Eine frühere Version hat ihn gemacht, oder sein Netz wurde von Grund auf trainiert.</translation>
    </message>
    <message>
        <source>This run trained a model and forgot nothing. Open its model on Project.</source>
        <translation>Dieser Lauf hat ein Modell trainiert und nichts vergessen. Öffnen Sie sein Modell unter „Projekt“.</translation>
    </message>
    <message>
        <source>This run was not checked. The model card will say so.</source>
        <translation>Dieser Lauf wurde nicht geprüft. Die Modellkarte sagt das.</translation>
    </message>
    <message>
        <source>This run was written by a newer version. Update Unlearn Studio to open it.</source>
        <translation>Dieser Lauf stammt von einer neueren Version. Aktualisieren Sie Unlearn Studio, um ihn zu öffnen.</translation>
    </message>
    <message>
        <source>This window</source>
        <translation>Diesem Fenster</translation>
    </message>
    <message>
        <source>this window</source>
        <translation>diesem Fenster</translation>
    </message>
    <message>
        <source>Threads</source>
        <translation>Threads</translation>
    </message>
    <message>
        <source>Tick a method.</source>
        <translation>Wählen Sie ein Verfahren.</translation>
    </message>
    <message>
        <source>Tick what is to be forgotten as well.</source>
        <translation>Kreuzen Sie an, was auch vergessen werden soll.</translation>
    </message>
    <message>
        <source>Tick what to remove.</source>
        <translation>Kreuzen Sie an, was entfernt werden soll.</translation>
    </message>
    <message>
        <source>Time</source>
        <translation>Zeit</translation>
    </message>
    <message>
        <source>Titles of the columns</source>
        <translation>Titel der Spalten</translation>
    </message>
    <message>
        <source>to</source>
        <comment>between two numbers</comment>
        <translation>bis</translation>
    </message>
    <message>
        <source>To be forgotten</source>
        <translation>Zu vergessen</translation>
    </message>
    <message>
        <source>to forget</source>
        <translation>zu vergessen</translation>
    </message>
    <message>
        <source>today</source>
        <translation>heute</translation>
    </message>
    <message>
        <source>today {time}</source>
        <translation>heute {time}</translation>
    </message>
    <message>
        <source>torch.export program (.pt2)</source>
        <translation>torch.export-Programm (.pt2)</translation>
    </message>
    <message>
        <source>TorchScript is a program, not weights.</source>
        <translation>TorchScript ist ein Programm, keine Gewichte.</translation>
    </message>
    <message>
        <source>Train</source>
        <translation>Training</translation>
    </message>
    <message>
        <source>Train</source>
        <comment>title of a narrow column</comment>
        <translation>Train.</translation>
    </message>
    <message>
        <source>Train a model</source>
        <translation>Modell trainieren</translation>
    </message>
    <message>
        <source>Train a model here…</source>
        <translation>Hier ein Modell trainieren …</translation>
    </message>
    <message>
        <source>Train on along or against the gradient of the usual loss.</source>
        <translation>Weitertrainieren, mit dem Gradienten des üblichen Verlusts oder gegen ihn.</translation>
    </message>
    <message>
        <source>Train one</source>
        <translation>Eines trainieren</translation>
    </message>
    <message>
        <source>trained</source>
        <translation>trainiert</translation>
    </message>
    <message>
        <source>Trained from scratch without the forget images. Its value is the goal.</source>
        <translation>Von Grund auf ohne die Vergessensbilder trainiert. Sein Wert ist das Ziel.</translation>
    </message>
    <message>
        <source>Training</source>
        <translation>Training</translation>
    </message>
    <message>
        <source>Training a retrained model</source>
        <translation>Ein Modell wird neu trainiert</translation>
    </message>
    <message>
        <source>Training image {number}</source>
        <translation>Trainingsbild {number}</translation>
    </message>
    <message>
        <source>training image {number}</source>
        <translation>Trainingsbild {number}</translation>
    </message>
    <message>
        <source>Training images</source>
        <translation>Trainingsbilder</translation>
    </message>
    <message>
        <source>Training images until it is back</source>
        <translation>Trainingsbilder, bis sie zurück ist</translation>
    </message>
    <message>
        <source>training of {network}, seed {seed}</source>
        <translation>Training von {network}, Startwert {seed}</translation>
    </message>
    <message>
        <source>Training without {forget_set}</source>
        <translation>Training ohne {forget_set}</translation>
    </message>
    <message>
        <source>Training {network}</source>
        <translation>Training von {network}</translation>
    </message>
    <message>
        <source>Training, all data</source>
        <translation>Training, alle Daten</translation>
    </message>
    <message>
        <source>Training, {name}</source>
        <translation>Training, {name}</translation>
    </message>
    <message numerus="yes">
        <source>Trains %n retrained models first, {time}.</source>
        <translation>
            <numerusform>Trainiert zuerst %n Modell neu, {time}.</numerusform>
            <numerusform>Trainiert zuerst %n Modelle neu, {time}.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Trains %n retrained models first.</source>
        <translation>
            <numerusform>Trainiert zuerst %n Modell neu.</numerusform>
            <numerusform>Trainiert zuerst %n Modelle neu.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Tried on {images} training images, and how many were right; the first is open now, and %n worse ones are not listed:</source>
        <translation>
            <numerusform>Auf {images} Trainingsbildern ausprobiert, und wie viele richtig waren; das erste ist jetzt geöffnet, 1 schlechteres ist nicht aufgeführt:</numerusform>
            <numerusform>Auf {images} Trainingsbildern ausprobiert, und wie viele richtig waren; das erste ist jetzt geöffnet, %n schlechtere sind nicht aufgeführt:</numerusform>
        </translation>
    </message>
    <message>
        <source>Tried on {images} training images, and how many were right; the first is open now:</source>
        <translation>Auf {images} Trainingsbildern ausprobiert, und wie viele richtig waren; das erste ist jetzt geöffnet:</translation>
    </message>
    <message>
        <source>Tries</source>
        <translation>Versuche</translation>
    </message>
    <message>
        <source>Tries settings around those of the form, each in a short run, and compares them on half of the test images, which are used for nothing else. The best settings are used.</source>
        <translation>Versucht Einstellungen um die des Formulars, jede in einem kurzen Lauf, und vergleicht sie auf der Hälfte der Testbilder, die für nichts anderes verwendet wird. Die besten werden übernommen.</translation>
    </message>
    <message>
        <source>Tries to tell whether an image was trained on. 0.5 means that it cannot.</source>
        <translation>Versucht zu erkennen, ob mit einem Bild trainiert wurde. 0,5 heißt, dass es das nicht kann.</translation>
    </message>
    <message>
        <source>trigger {accuracy}</source>
        <translation>Auslöser {accuracy}</translation>
    </message>
    <message>
        <source>Trigger, %</source>
        <translation>Auslöser, %</translation>
    </message>
    <message>
        <source>Try</source>
        <translation>Versuch</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>Noch einmal versuchen</translation>
    </message>
    <message>
        <source>Try settings in short runs and use the best</source>
        <translation>Einstellungen in kurzen Läufen ausprobieren und die besten verwenden</translation>
    </message>
    <message>
        <source>Two measures</source>
        <translation>Zwei Maße</translation>
    </message>
    <message>
        <source>Two measures of each run</source>
        <translation>Zwei Maße jedes Laufs</translation>
    </message>
    <message>
        <source>Two principal components · {share} of the variance</source>
        <translation>Zwei Hauptkomponenten · {share} der Varianz</translation>
    </message>
    <message>
        <source>Two retrained models also differ from each other; that spread is how close one can get.</source>
        <translation>Auch zwei neu trainierte Modelle unterscheiden sich; näher als diese Streuung kann man nicht kommen.</translation>
    </message>
    <message>
        <source>Type a command</source>
        <translation>Befehl eingeben</translation>
    </message>
    <message>
        <source>Type the name of an architecture, or FILE.py:FACTORY.</source>
        <translation>Geben Sie den Namen einer Architektur ein, oder DATEI.py:FUNKTION.</translation>
    </message>
    <message>
        <source>under {time}</source>
        <translation>unter {time}</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>Rückgängig</translation>
    </message>
    <message>
        <source>Unlearn</source>
        <translation>Verlernen</translation>
    </message>
    <message>
        <source>Unlearned</source>
        <translation>Verlernt</translation>
    </message>
    <message>
        <source>unseen image {number}</source>
        <translation>ungesehenes Bild {number}</translation>
    </message>
    <message>
        <source>Untrained</source>
        <translation>Untrainiert</translation>
    </message>
    <message>
        <source>Untrained model</source>
        <translation>Untrainiertes Modell</translation>
    </message>
    <message>
        <source>Use</source>
        <translation>Verwenden</translation>
    </message>
    <message>
        <source>Use the card's order</source>
        <translation>Reihenfolge der Karte verwenden</translation>
    </message>
    <message>
        <source>Use the network and the preprocessing that are open. Asked once for this pair.</source>
        <translation>Das geöffnete Netz und die geöffnete Vorverarbeitung verwenden. Wird für dieses Paar einmal gefragt.</translation>
    </message>
    <message>
        <source>Use these settings</source>
        <translation>Diese Einstellungen verwenden</translation>
    </message>
    <message>
        <source>Use this</source>
        <translation>Verwenden</translation>
    </message>
    <message>
        <source>Use this order</source>
        <translation>Diese Reihenfolge verwenden</translation>
    </message>
    <message>
        <source>Used: try {number}. Judged by {measure}; wanted: {wanted}.</source>
        <translation>Verwendet: Versuch {number}. Beurteilt nach {measure}; gewünscht: {wanted}.</translation>
    </message>
    <message>
        <source>Values 0 to 1</source>
        <translation>Werte 0 bis 1</translation>
    </message>
    <message>
        <source>Values 0 to 255</source>
        <translation>Werte 0 bis 255</translation>
    </message>
    <message>
        <source>Values −1 to 1 (0.5 and 0.5)</source>
        <translation>Werte −1 bis 1 (0,5 und 0,5)</translation>
    </message>
    <message>
        <source>Varied</source>
        <translation>Verändert</translation>
    </message>
    <message>
        <source>Verdict</source>
        <translation>Urteil</translation>
    </message>
    <message>
        <source>Verify</source>
        <translation>Prüfen</translation>
    </message>
    <message>
        <source>Version</source>
        <translation>Version</translation>
    </message>
    <message>
        <source>Vulnerable</source>
        <translation>Verwundbare</translation>
    </message>
    <message>
        <source>Waiting</source>
        <translation>Wartet</translation>
    </message>
    <message>
        <source>Waiting ({count})</source>
        <translation>Wartend ({count})</translation>
    </message>
    <message>
        <source>Waiting for the run before it to end.</source>
        <translation>Wartet auf das Ende des Laufs davor.</translation>
    </message>
    <message>
        <source>Waits for Project</source>
        <translation>Wartet auf Projekt</translation>
    </message>
    <message>
        <source>Waits for the run under way</source>
        <translation>Wartet auf den laufenden Lauf</translation>
    </message>
    <message>
        <source>Web page (*.html)</source>
        <translation>Webseite (*.html)</translation>
    </message>
    <message>
        <source>Weights and a short description, no program code.</source>
        <translation>Gewichte und eine kurze Beschreibung, kein Programmcode.</translation>
    </message>
    <message>
        <source>What</source>
        <translation>Was</translation>
    </message>
    <message>
        <source>What did best on planted wrong labels and a planted trigger (python -m benchmarks.corrective).</source>
        <translation>Was bei untergeschobenen falschen Etiketten und einem untergeschobenen Auslöser am besten war (python -m benchmarks.corrective).</translation>
    </message>
    <message>
        <source>What did the training of this model begin with?</source>
        <translation>Womit begann das Training dieses Modells?</translation>
    </message>
    <message>
        <source>What each model makes of the images that were forgotten</source>
        <translation>Was jedes Modell aus den vergessenen Bildern macht</translation>
    </message>
    <message>
        <source>What has its result is skipped when the file is opened again.</source>
        <translation>Was schon ein Ergebnis hat, wird beim erneuten Öffnen der Datei übersprungen.</translation>
    </message>
    <message>
        <source>What is done to an image before the network sees it: as in training, without random steps.</source>
        <translation>Was mit einem Bild geschieht, bevor das Netz es sieht: wie beim Training, ohne Zufall.</translation>
    </message>
    <message>
        <source>What it is</source>
        <translation>Was es ist</translation>
    </message>
    <message>
        <source>what it measures now is not kept</source>
        <translation>was jetzt gemessen wird, wird nicht behalten</translation>
    </message>
    <message>
        <source>what it tries now is not kept</source>
        <translation>was jetzt probiert wird, wird nicht behalten</translation>
    </message>
    <message>
        <source>What results are compared with: not ways to forget.</source>
        <translation>Womit Ergebnisse verglichen werden: keine Wege zu vergessen.</translation>
    </message>
    <message>
        <source>What the other classes lost</source>
        <translation>Was die anderen Klassen verloren haben</translation>
    </message>
    <message>
        <source>What this app still keeps of the forget images</source>
        <translation>Was dieses Programm noch von den zu vergessenden Bildern aufbewahrt</translation>
    </message>
    <message>
        <source>What to forget</source>
        <translation>Was vergessen wird</translation>
    </message>
    <message>
        <source>What waited cannot be read</source>
        <translation>Was wartete, kann nicht gelesen werden</translation>
    </message>
    <message>
        <source>What was open last time is not known. {error}</source>
        <translation>Was zuletzt geöffnet war, ist nicht bekannt. {error}</translation>
    </message>
    <message>
        <source>What was recorded is on disk; the run can be resumed from its last checkpoint.</source>
        <translation>Was aufgezeichnet wurde, ist auf der Platte; der Lauf kann vom letzten Checkpoint fortgesetzt werden.</translation>
    </message>
    <message>
        <source>What was tried is kept: the same search goes on from there.</source>
        <translation>Was versucht wurde, bleibt: Dieselbe Suche geht von dort weiter.</translation>
    </message>
    <message>
        <source>When a class is forgotten in the features, its own directions shrink.</source>
        <translation>Wird eine Klasse in den Merkmalen vergessen, schrumpfen ihre eigenen Richtungen.</translation>
    </message>
    <message>
        <source>Where</source>
        <translation>Wo</translation>
    </message>
    <message>
        <source>Where forget images go</source>
        <translation>Wohin Vergessensbilder gehen</translation>
    </message>
    <message>
        <source>Whether measures agree shows from three runs on that were compared with retrained models.</source>
        <translation>Ob Maße übereinstimmen, zeigt sich ab drei Läufen, die mit neu trainierten Modellen verglichen wurden.</translation>
    </message>
    <message>
        <source>Which architecture?</source>
        <translation>Welche Architektur?</translation>
    </message>
    <message>
        <source>Which checks to run</source>
        <translation>Welche Prüfungen</translation>
    </message>
    <message>
        <source>Which classes the model takes unseen forget images for</source>
        <translation>Für welche Klassen das Modell ungesehene Vergessensbilder hält</translation>
    </message>
    <message>
        <source>Which images are shown</source>
        <translation>Welche Bilder gezeigt werden</translation>
    </message>
    <message>
        <source>Which network?</source>
        <translation>Welches Netz?</translation>
    </message>
    <message>
        <source>Which one is best depends on model, data and forget set: a check tells, and several can be run side by side.</source>
        <translation>Welches das beste ist, hängt von Modell, Daten und Vergessensmenge ab: Eine Prüfung sagt es, und mehrere können nebeneinander laufen.</translation>
    </message>
    <message>
        <source>While kept images show the same picture as forget images, the model can go on knowing what you remove. Take out the tick of what is to stay.</source>
        <translation>Solange behaltene Bilder dasselbe zeigen wie zu vergessende, kann das Modell weiter wissen, was Sie entfernen. Nehmen Sie das Häkchen bei dem weg, was bleiben soll.</translation>
    </message>
    <message>
        <source>whole classes to forget</source>
        <translation>ganze Klassen zum Vergessen</translation>
    </message>
    <message>
        <source>Window</source>
        <translation>Fenster</translation>
    </message>
    <message>
        <source>With only its last layer edited, the network names no image of {classes}, and a linear probe finds {share} of them in its features.</source>
        <translation>Ist nur seine letzte Schicht geändert, nennt das Netz kein Bild von {classes}, und eine lineare Sonde findet {share} davon in seinen Merkmalen.</translation>
    </message>
    <message>
        <source>with so few images intervals are wide</source>
        <translation>bei so wenigen Bildern sind die Intervalle weit</translation>
    </message>
    <message numerus="yes">
        <source>With this order, {share} of %n test images are correct.</source>
        <translation>
            <numerusform>Mit dieser Reihenfolge sind {share} von 1 Testbild richtig.</numerusform>
            <numerusform>Mit dieser Reihenfolge sind {share} von %n Testbildern richtig.</numerusform>
        </translation>
    </message>
    <message>
        <source>Worst first.</source>
        <translation>Das Schlechteste zuerst.</translation>
    </message>
    <message>
        <source>Worst first. Left out, because they were to be forgotten: {classes}.</source>
        <translation>Das Schlechteste zuerst. Weggelassen, weil es vergessen werden sollte: {classes}.</translation>
    </message>
    <message>
        <source>Writing</source>
        <translation>Schreibt</translation>
    </message>
    <message>
        <source>Wrong answers</source>
        <translation>Falsche Antworten</translation>
    </message>
    <message>
        <source>yesterday</source>
        <translation>gestern</translation>
    </message>
    <message>
        <source>{architecture} · {count} parameters</source>
        <translation>{architecture} · {count} Parameter</translation>
    </message>
    <message>
        <source>{classes} and images</source>
        <translation>{classes} und Bilder</translation>
    </message>
    <message>
        <source>{count} added</source>
        <translation>{count} hinzugefügt</translation>
    </message>
    <message>
        <source>{count} already forgotten</source>
        <translation>{count} schon vergessen</translation>
    </message>
    <message>
        <source>{count} removed</source>
        <translation>{count} entfernt</translation>
    </message>
    <message>
        <source>{curve} (trained on)</source>
        <translation>{curve} (Training)</translation>
    </message>
    <message>
        <source>{curve} ({number})</source>
        <translation>{curve} ({number})</translation>
    </message>
    <message>
        <source>{curve}, start</source>
        <translation>{curve}, Anfang</translation>
    </message>
    <message numerus="yes">
        <source>{done} of %n runs checked</source>
        <translation>
            <numerusform>{done} von %n Lauf geprüft</numerusform>
            <numerusform>{done} von %n Läufen geprüft</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{done} of %n runs have a result</source>
        <translation>
            <numerusform>{done} von %n Lauf hat ein Ergebnis</numerusform>
            <numerusform>{done} von %n Läufen haben ein Ergebnis</numerusform>
        </translation>
    </message>
    <message>
        <source>{done} of {total}</source>
        <translation>{done} von {total}</translation>
    </message>
    <message numerus="yes">
        <source>{ended} of %n runs have a result</source>
        <translation>
            <numerusform>{ended} von %n Lauf hat ein Ergebnis</numerusform>
            <numerusform>{ended} von %n Läufen haben ein Ergebnis</numerusform>
        </translation>
    </message>
    <message>
        <source>{entry} · beside it {others}</source>
        <translation>{entry} · daneben {others}</translation>
    </message>
    <message>
        <source>{file} cannot be written: {reason}</source>
        <translation>{file} kann nicht geschrieben werden: {reason}</translation>
    </message>
    <message>
        <source>{file} could not be written: {reason}.</source>
        <translation>{file} konnte nicht geschrieben werden: {reason}.</translation>
    </message>
    <message>
        <source>{file} is damaged.</source>
        <translation>{file} ist beschädigt.</translation>
    </message>
    <message>
        <source>{file} is gone.</source>
        <translation>{file} ist nicht mehr da.</translation>
    </message>
    <message>
        <source>{file} was not imported.</source>
        <translation>{file} wurde nicht eingelesen.</translation>
    </message>
    <message>
        <source>{file} was not written.</source>
        <translation>{file} wurde nicht geschrieben.</translation>
    </message>
    <message>
        <source>{forget_set} · weighted</source>
        <translation>{forget_set} · gewichtet</translation>
    </message>
    <message numerus="yes">
        <source>{found} of %n names found.</source>
        <translation>
            <numerusform>{found} von %n Namen gefunden.</numerusform>
            <numerusform>{found} von %n Namen gefunden.</numerusform>
        </translation>
    </message>
    <message>
        <source>{images} in the forget set</source>
        <translation>{images} in der Vergessensmenge</translation>
    </message>
    <message>
        <source>{images} of all requests</source>
        <translation>{images} aller Anfragen</translation>
    </message>
    <message>
        <source>{images} to train on, {test} to test</source>
        <translation>{images} zum Trainieren, {test} zum Testen</translation>
    </message>
    <message>
        <source>{images} written to {file}.</source>
        <translation>{images} in {file} geschrieben.</translation>
    </message>
    <message>
        <source>{image}
Cosine of the features {value}</source>
        <translation>{image}
Kosinus der Merkmale {value}</translation>
    </message>
    <message>
        <source>{marker} Retrained: {models}</source>
        <translation>{marker} Neu trainiert: {models}</translation>
    </message>
    <message>
        <source>{median} on {name} ({number})</source>
        <translation>{median}: {name} ({number})</translation>
    </message>
    <message>
        <source>{methods} × {seeds} = {runs}</source>
        <translation>{methods} × {seeds} = {runs}</translation>
    </message>
    <message>
        <source>{method}, seed {number}</source>
        <translation>{method}, Startwert {number}</translation>
    </message>
    <message>
        <source>{method}, seed {number} · {run}</source>
        <translation>{method}, Startwert {number} · {run}</translation>
    </message>
    <message>
        <source>{method}, {forget}, seed {seed}</source>
        <translation>{method}, {forget}, Startwert {seed}</translation>
    </message>
    <message>
        <source>{method}: {runs} and {number} retrained models</source>
        <translation>{method}: {runs} und {number} neu trainierte Modelle</translation>
    </message>
    <message>
        <source>{model} with {data}</source>
        <translation>{model} mit {data}</translation>
    </message>
    <message>
        <source>{model} without {forgotten}</source>
        <translation>{model} ohne {forgotten}</translation>
    </message>
    <message>
        <source>{model}: map of images</source>
        <translation>{model}: Karte der Bilder</translation>
    </message>
    <message numerus="yes">
        <source>{names} and %n more</source>
        <translation>
            <numerusform>{names} und 1 weitere</numerusform>
            <numerusform>{names} und %n weitere</numerusform>
        </translation>
    </message>
    <message>
        <source>{name} (open now)</source>
        <translation>{name} (jetzt offen)</translation>
    </message>
    <message>
        <source>{name} already exists.</source>
        <translation>{name} gibt es schon.</translation>
    </message>
    <message>
        <source>{name} holds several networks. The others are not given back with the one you choose.</source>
        <translation>{name} enthält mehrere Netze. Die anderen werden mit dem gewählten nicht zurückgegeben.</translation>
    </message>
    <message>
        <source>{name} opens as a batch.</source>
        <translation>{name} wird als Stapel geöffnet.</translation>
    </message>
    <message>
        <source>{name} opens as a forget list.</source>
        <translation>{name} wird als Vergessensliste geöffnet.</translation>
    </message>
    <message>
        <source>{name} opens as the data.</source>
        <translation>{name} wird als Daten geöffnet.</translation>
    </message>
    <message>
        <source>{name} opens as the model.</source>
        <translation>{name} wird als Modell geöffnet.</translation>
    </message>
    <message>
        <source>{name} was not opened</source>
        <translation>{name} wurde nicht geöffnet</translation>
    </message>
    <message>
        <source>{name} was not opened. Its network is program code.</source>
        <translation>{name} wurde nicht geöffnet. Sein Netz ist Programmcode.</translation>
    </message>
    <message>
        <source>{name} was not opened. {why}</source>
        <translation>{name} wurde nicht geöffnet. {why}</translation>
    </message>
    <message>
        <source>{name} was not queued. {reason}</source>
        <translation>{name} wurde nicht eingereiht. {reason}</translation>
    </message>
    <message>
        <source>{name} was not taken as the start. {why}</source>
        <translation>{name} wurde nicht als Beginn genommen. {why}</translation>
    </message>
    <message>
        <source>{name} was not used. {why}</source>
        <translation>{name} wurde nicht verwendet. {why}</translation>
    </message>
    <message>
        <source>{name} {first} to {last}</source>
        <translation>{name} {first} bis {last}</translation>
    </message>
    <message>
        <source>{name} · forgotten</source>
        <translation>{name} · vergessen</translation>
    </message>
    <message>
        <source>{name}: an output without training images</source>
        <translation>{name}: ein Ausgang ohne Trainingsbilder</translation>
    </message>
    <message>
        <source>{name}: in several folders</source>
        <translation>{name}: in mehreren Ordnern</translation>
    </message>
    <message>
        <source>{name}: in the test part</source>
        <translation>{name}: im Testteil</translation>
    </message>
    <message>
        <source>{name}: {images} already forgotten</source>
        <translation>{name}: {images} schon vergessen</translation>
    </message>
    <message>
        <source>{name}: {share}</source>
        <translation>{name}: {share}</translation>
    </message>
    <message>
        <source>{name}: {some} of {all}</source>
        <translation>{name}: {some} von {all}</translation>
    </message>
    <message>
        <source>{network} needs images of at least {least} pixels; these have {side}.</source>
        <translation>{network} braucht Bilder von mindestens {least} Pixeln; diese haben {side}.</translation>
    </message>
    <message>
        <source>{number} billion</source>
        <translation>{number} Milliarden</translation>
    </message>
    <message>
        <source>{number} changed</source>
        <translation>{number} geändert</translation>
    </message>
    <message>
        <source>{number} failed</source>
        <translation>{number} fehlgeschlagen</translation>
    </message>
    <message>
        <source>{number} images marked to forget</source>
        <translation>{number} Bilder zum Vergessen markiert</translation>
    </message>
    <message>
        <source>{number} images/s</source>
        <translation>{number} Bilder/s</translation>
    </message>
    <message>
        <source>{number} interrupted</source>
        <translation>{number} unterbrochen</translation>
    </message>
    <message>
        <source>{number} million</source>
        <translation>{number} Millionen</translation>
    </message>
    <message>
        <source>{number} not started</source>
        <translation>{number} nicht begonnen</translation>
    </message>
    <message>
        <source>{number} of {all} ticked</source>
        <translation>{number} von {all} angekreuzt</translation>
    </message>
    <message>
        <source>{number} on disk</source>
        <translation>{number} auf der Platte</translation>
    </message>
    <message>
        <source>{number} points</source>
        <translation>{number} Punkte</translation>
    </message>
    <message>
        <source>{number} running</source>
        <translation>{number} laufend</translation>
    </message>
    <message>
        <source>{number} waiting</source>
        <translation>{number} wartend</translation>
    </message>
    <message>
        <source>{own}, prepared to {prepared}</source>
        <translation>{own}, vorbereitet auf {prepared}</translation>
    </message>
    <message>
        <source>{page} could not be opened</source>
        <translation>{page} konnte nicht geöffnet werden</translation>
    </message>
    <message>
        <source>{page} could not be opened. The other pages still work.</source>
        <translation>{page} konnte nicht geöffnet werden. Die anderen Seiten gehen.</translation>
    </message>
    <message>
        <source>{parameter}, {low} to {high}</source>
        <translation>{parameter}, {low} bis {high}</translation>
    </message>
    <message>
        <source>{part} of {total} ({share})</source>
        <translation>{part} von {total} ({share})</translation>
    </message>
    <message>
        <source>{place} of {all}</source>
        <translation>{place} von {all}</translation>
    </message>
    <message>
        <source>{runs}, on {data}.</source>
        <translation>{runs}, auf {data}.</translation>
    </message>
    <message>
        <source>{run} cannot be checked</source>
        <translation>{run} kann nicht geprüft werden</translation>
    </message>
    <message>
        <source>{run} failed. {why}</source>
        <translation>{run} schlug fehl. {why}</translation>
    </message>
    <message>
        <source>{run} is in use.</source>
        <translation>{run} ist in Gebrauch.</translation>
    </message>
    <message>
        <source>{run} was not deleted</source>
        <translation>{run} wurde nicht gelöscht</translation>
    </message>
    <message>
        <source>{run} · seed {seed}</source>
        <translation>{run} · Startwert {seed}</translation>
    </message>
    <message>
        <source>{run}, seed {seed}</source>
        <translation>{run}, Startwert {seed}</translation>
    </message>
    <message>
        <source>{share} % of the gap closed</source>
        <translation>{share} % des Abstands geschlossen</translation>
    </message>
    <message>
        <source>{share} % of the gap closed ({low} to {high})</source>
        <translation>{share} % des Abstands geschlossen ({low} bis {high})</translation>
    </message>
    <message numerus="yes">
        <source>{share} %: %n images</source>
        <translation>
            <numerusform>{share} %: 1 Bild</numerusform>
            <numerusform>{share} %: %n Bilder</numerusform>
        </translation>
    </message>
    <message>
        <source>{share} of variance</source>
        <translation>{share} der Varianz</translation>
    </message>
    <message>
        <source>{share} of {images}</source>
        <translation>{share} von {images}</translation>
    </message>
    <message>
        <source>{size} (usual)</source>
        <translation>{size} (üblich)</translation>
    </message>
    <message>
        <source>{size} of {free} free</source>
        <translation>{size} von {free} frei</translation>
    </message>
    <message>
        <source>{some} of {all}</source>
        <translation>{some} von {all}</translation>
    </message>
    <message>
        <source>{some} of {all} to forget</source>
        <translation>{some} von {all} zu vergessen</translation>
    </message>
    <message numerus="yes">
        <source>{state} · %n waiting</source>
        <translation>
            <numerusform>{state} · 1 wartet</numerusform>
            <numerusform>{state} · %n warten</numerusform>
        </translation>
    </message>
    <message>
        <source>{state}, damaged</source>
        <translation>{state}, beschädigt</translation>
    </message>
    <message>
        <source>{state}, on {host}</source>
        <translation>{state}, auf {host}</translation>
    </message>
    <message>
        <source>{those}, each side as one ensemble. KLoM takes ten models a side; of fewer the distance of margins is measured.</source>
        <translation>{those}, jede Seite als ein Ensemble. KLoM braucht zehn Modelle je Seite; bei weniger wird der Abstand der Margen gemessen.</translation>
    </message>
    <message>
        <source>{time} left</source>
        <translation>noch {time}</translation>
    </message>
    <message>
        <source>{time} so far</source>
        <translation>bisher {time}</translation>
    </message>
    <message>
        <source>{time} to train</source>
        <translation>{time} zu trainieren</translation>
    </message>
    <message>
        <source>{title} (download)</source>
        <translation>{title} (herunterladen)</translation>
    </message>
    <message>
        <source>{title}: copy, save</source>
        <translation>{title}: kopieren, speichern</translation>
    </message>
    <message>
        <source>{told} · plus {images} forgotten earlier</source>
        <translation>{told} · dazu {images} früher vergessen</translation>
    </message>
    <message>
        <source>{told} · {again} of them already forgotten</source>
        <translation>{told} · davon {again} schon vergessen</translation>
    </message>
    <message>
        <source>{train} to train on · {test} to test</source>
        <translation>{train} zum Trainieren · {test} zum Testen</translation>
    </message>
    <message>
        <source>{value} and {other}</source>
        <translation>{value} und {other}</translation>
    </message>
    <message>
        <source>{value}, from</source>
        <translation>{value}, von</translation>
    </message>
    <message>
        <source>{value}, to</source>
        <translation>{value}, bis</translation>
    </message>
    <message>
        <source>{what} · axis from {floor}</source>
        <translation>{what} · Achse ab {floor}</translation>
    </message>
    <message>
        <source>{what}, seed {seed}</source>
        <translation>{what}, Startwert {seed}</translation>
    </message>
    <message>
        <source>{what}, {done} of {total}</source>
        <translation>{what}, {done} von {total}</translation>
    </message>
    <message>
        <source>{which} (agreement from {least}): {count}</source>
        <translation>{which} (Übereinstimmung ab {least}): {count}</translation>
    </message>
    <message>
        <source>{why} It is kept as {name}.</source>
        <translation>{why} Sie liegt jetzt unter dem Namen {name}.</translation>
    </message>
    <message>
        <source>{why} It stays where it is, and nothing is kept in its place.</source>
        <translation>{why} Sie bleibt, wo sie ist, und an ihrer Stelle wird nichts gespeichert.</translation>
    </message>
    <message>
        <source>{y} over {x}</source>
        <translation>{y} über {x}</translation>
    </message>
    <message>
        <source>▲ To be forgotten</source>
        <translation>▲ Wird vergessen</translation>
    </message>
    <message>
        <source>✓ used</source>
        <translation>✓ verwendet</translation>
    </message>
</context>
</TS>
