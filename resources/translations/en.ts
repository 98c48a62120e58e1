<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="en">
<context>
    <name>app</name>
    <message numerus="yes">
        <source>%n channels</source>
        <translation>
            <numerusform>1 channel</numerusform>
            <numerusform>%n channels</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n classes</source>
        <translation>
            <numerusform>1 class</numerusform>
            <numerusform>%n classes</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n classes with less not shown.</source>
        <translation>
            <numerusform>%n class with less not shown.</numerusform>
            <numerusform>%n classes with less not shown.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n count as black</source>
        <translation>
            <numerusform>1 counts as black</numerusform>
            <numerusform>%n count as black</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n entries of the queue cannot be read.</source>
        <translation>
            <numerusform>One entry of the queue cannot be read.</numerusform>
            <numerusform>%n entries of the queue cannot be read.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n files</source>
        <translation>
            <numerusform>1 file</numerusform>
            <numerusform>%n files</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n files could not be read</source>
        <translation>
            <numerusform>1 file could not be read</numerusform>
            <numerusform>%n files could not be read</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n files could not be removed: {which}.</source>
        <translation>
            <numerusform>1 file could not be removed: {which}.</numerusform>
            <numerusform>%n files could not be removed: {which}.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n files, {size}</source>
        <translation>
            <numerusform>1 file, {size}</numerusform>
            <numerusform>%n files, {size}</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n images</source>
        <translation>
            <numerusform>%n image</numerusform>
            <numerusform>%n images</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n images are chosen already.</source>
        <translation>
            <numerusform>%n image is chosen already.</numerusform>
            <numerusform>%n images are chosen already.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n images carry a patch that makes the model name {name}.</source>
        <translation>
            <numerusform>%n image carries a patch that makes the model name {name}.</numerusform>
            <numerusform>%n images carry a patch that makes the model name {name}.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n images chosen, {forget} of them to forget</source>
        <translation>
            <numerusform>%n image chosen, {forget} of them to forget</numerusform>
            <numerusform>%n images chosen, {forget} of them to forget</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n images seen before</source>
        <translation>
            <numerusform>1 image seen before</numerusform>
            <numerusform>%n images seen before</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n images show the same picture as one of another label.</source>
        <translation>
            <numerusform>%n image shows the same picture as one of another label.</numerusform>
            <numerusform>%n images show the same picture as one of another label.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n images were forgotten already by this model. They stay forgotten and cannot be chosen again.</source>
        <translation>
            <numerusform>%n image was forgotten already by this model. It stays forgotten and cannot be chosen again.</numerusform>
            <numerusform>%n images were forgotten already by this model. They stay forgotten and cannot be chosen again.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n images, weighted</source>
        <translation>
            <numerusform>1 image, weighted</numerusform>
            <numerusform>%n images, weighted</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n labels are likely wrong: like images have another one.</source>
        <translation>
            <numerusform>%n label is likely wrong: like images have another one.</numerusform>
            <numerusform>%n labels are likely wrong: like images have another one.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n methods</source>
        <translation>
            <numerusform>%n method</numerusform>
            <numerusform>%n methods</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n models</source>
        <translation>
            <numerusform>%n model</numerusform>
            <numerusform>%n models</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n names are in several folders, so they were not taken. Write the folder before the name.</source>
        <translation>
            <numerusform>%n name is in several folders, so it was not taken. Write the folder before the name.</numerusform>
            <numerusform>%n names are in several folders, so they were not taken. Write the folder before the name.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n names mean images of the test part. The model was not trained on them, so there is nothing to remove.</source>
        <translation>
            <numerusform>%n name means images of the test part. The model was not trained on them, so there is nothing to remove.</numerusform>
            <numerusform>%n names mean images of the test part. The model was not trained on them, so there is nothing to remove.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n names were not found.</source>
        <translation>
            <numerusform>%n name was not found.</numerusform>
            <numerusform>%n names were not found.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n other runs on the same images keep lists and checkpoints of their own.</source>
        <translation>
            <numerusform>1 other run on the same images keeps a list and checkpoints of its own.</numerusform>
            <numerusform>%n other runs on the same images keep lists and checkpoints of their own.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n parameters</source>
        <translation>
            <numerusform>%n parameter</numerusform>
            <numerusform>%n parameters</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs</source>
        <translation>
            <numerusform>1 run</numerusform>
            <numerusform>%n runs</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs deleted.</source>
        <translation>
            <numerusform>1 run deleted.</numerusform>
            <numerusform>%n runs deleted.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs finished or waiting already: skipped.</source>
        <translation>
            <numerusform>%n run finished or waiting already: skipped.</numerusform>
            <numerusform>%n runs finished or waiting already: skipped.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs go on in other processes: {runs}. Runs shows them.</source>
        <translation>
            <numerusform>1 run goes on in another process: {runs}. Runs shows it.</numerusform>
            <numerusform>%n runs go on in other processes: {runs}. Runs shows them.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs moved to the trash.</source>
        <translation>
            <numerusform>1 run moved to the trash.</numerusform>
            <numerusform>%n runs moved to the trash.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs of {methods}</source>
        <translation>
            <numerusform>%n run of {methods}</numerusform>
            <numerusform>%n runs of {methods}</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs of {name} cannot be started.</source>
        <translation>
            <numerusform>%n run of {name} cannot be started.</numerusform>
            <numerusform>%n runs of {name} cannot be started.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs of {name} queued. Their results: Batch results on Runs.</source>
        <translation>
            <numerusform>%n run of {name} queued. Its result: Batch results on Runs.</numerusform>
            <numerusform>%n runs of {name} queued. Their results: Batch results on Runs.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs side by side</source>
        <translation>
            <numerusform>%n run side by side</numerusform>
            <numerusform>%n runs side by side</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs that were cut off go on.</source>
        <translation>
            <numerusform>%n run that was cut off goes on.</numerusform>
            <numerusform>%n runs that were cut off go on.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs wait behind it and will be offered at the next start.</source>
        <translation>
            <numerusform>1 run waits behind it and will be offered at the next start.</numerusform>
            <numerusform>%n runs wait behind it and will be offered at the next start.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs wait behind it: they go on with it or are offered at the next start.</source>
        <translation>
            <numerusform>1 run waits behind it: it goes on with it or is offered at the next start.</numerusform>
            <numerusform>%n runs wait behind it: they go on with it or are offered at the next start.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n runs wait behind work that goes on without a window.</source>
        <translation>
            <numerusform>1 run waits behind work that goes on without a window.</numerusform>
            <numerusform>%n runs wait behind work that goes on without a window.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n seeds</source>
        <translation>
            <numerusform>1 seed</numerusform>
            <numerusform>%n seeds</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n tries take {time}.</source>
        <translation>
            <numerusform>1 try takes {time}.</numerusform>
            <numerusform>%n tries take {time}.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n unseen images</source>
        <translation>
            <numerusform>1 unseen image</numerusform>
            <numerusform>%n unseen images</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Add %n images</source>
        <translation>
            <numerusform>Add %n image</numerusform>
            <numerusform>Add %n images</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Added to the queue: %n runs wait for the one that is going.</source>
        <translation>
            <numerusform>Added to the queue: 1 run waits for the one that is going.</numerusform>
            <numerusform>Added to the queue: %n runs wait for the one that is going.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>after: {height} × {width}, %n channels</source>
        <translation>
            <numerusform>after: {height} × {width}, 1 channel</numerusform>
            <numerusform>after: {height} × {width}, %n channels</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>and %n more</source>
        <translation>
            <numerusform>and %n more</numerusform>
            <numerusform>and %n more</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>before: {height} × {width}, %n channels</source>
        <translation>
            <numerusform>before: {height} × {width}, 1 channel</numerusform>
            <numerusform>before: {height} × {width}, %n channels</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Check all %n runs</source>
        <translation>
            <numerusform>Check %n run</numerusform>
            <numerusform>Check all %n runs</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>compared with %n retrained models</source>
        <translation>
            <numerusform>compared with %n retrained model</numerusform>
            <numerusform>compared with %n retrained models</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Compares with %n retrained models on disk.</source>
        <translation>
            <numerusform>Compares with %n retrained model on disk.</numerusform>
            <numerusform>Compares with %n retrained models on disk.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Discard this run? Its %n checkpoints are deleted. The original model is not touched.</source>
        <translation>
            <numerusform>Discard this run? Its 1 checkpoint is deleted. The original model is not touched.</numerusform>
            <numerusform>Discard this run? Its %n checkpoints are deleted. The original model is not touched.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Discarding · ends after this step, then its %n checkpoints are deleted</source>
        <translation>
            <numerusform>Discarding · ends after this step, then its 1 checkpoint is deleted</numerusform>
            <numerusform>Discarding · ends after this step, then its %n checkpoints are deleted</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>It names %n classes, the model has {outputs} outputs</source>
        <translation>
            <numerusform>It names 1 class, the model has {outputs} outputs</numerusform>
            <numerusform>It names %n classes, the model has {outputs} outputs</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Line {line}: {entry}: {reason}; nearest names: {names}</source>
        <translation>
            <numerusform>Line {line}: {entry}: {reason}; nearest name: {names}</numerusform>
            <numerusform>Line {line}: {entry}: {reason}; nearest names: {names}</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>List all %n classes…</source>
        <translation>
            <numerusform>List the class…</numerusform>
            <numerusform>List all %n classes…</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Mark the first %n</source>
        <translation>
            <numerusform>Mark the first</numerusform>
            <numerusform>Mark the first %n</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Mean of %n retrained models: {values}</source>
        <translation>
            <numerusform>Mean of %n retrained model: {values}</numerusform>
            <numerusform>Mean of %n retrained models: {values}</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Mean over %n seeds ± half of its 95 % interval: {values}</source>
        <translation>
            <numerusform>The value of %n seed: {values}</numerusform>
            <numerusform>Mean over %n seeds ± half of its 95 % interval: {values}</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>measured on %n forget images the original has seen before</source>
        <translation>
            <numerusform>measured on %n forget image the original has seen before</numerusform>
            <numerusform>measured on %n forget images the original has seen before</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>measured on %n unseen forget images</source>
        <translation>
            <numerusform>measured on %n unseen forget image</numerusform>
            <numerusform>measured on %n unseen forget images</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>measured on the %n images to forget</source>
        <translation>
            <numerusform>measured on the %n image to forget</numerusform>
            <numerusform>measured on the %n images to forget</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Queue %n runs of {name}?</source>
        <translation>
            <numerusform>Queue %n run of {name}?</numerusform>
            <numerusform>Queue %n runs of {name}?</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Removed %n files, {size}.</source>
        <translation>
            <numerusform>Removed 1 file, {size}.</numerusform>
            <numerusform>Removed %n files, {size}.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Stopped after %n tries.</source>
        <translation>
            <numerusform>Stopped after 1 try.</numerusform>
            <numerusform>Stopped after %n tries.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>t-SNE of %n images</source>
        <translation>
            <numerusform>t-SNE of %n image</numerusform>
            <numerusform>t-SNE of %n images</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>The %n most alike pairs are shown. Once they are added, the others are found again.</source>
        <translation>
            <numerusform>The %n most alike pair is shown. Once it is added, the others are found again.</numerusform>
            <numerusform>The %n most alike pairs are shown. Once they are added, the others are found again.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>The training images do not tell %n of those tried apart.</source>
        <translation>
            <numerusform>The training images do not tell 1 of those tried apart.</numerusform>
            <numerusform>The training images do not tell %n of those tried apart.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>They name %n images.</source>
        <translation>
            <numerusform>They name 1 image.</numerusform>
            <numerusform>They name %n images.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Trains %n retrained models first, {time}.</source>
        <translation>
            <numerusform>Trains %n retrained model first, {time}.</numerusform>
            <numerusform>Trains %n retrained models first, {time}.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Trains %n retrained models first.</source>
        <translation>
            <numerusform>Trains %n retrained model first.</numerusform>
            <numerusform>Trains %n retrained models first.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Tried on {images} training images, and how many were right; the first is open now, and %n worse ones are not listed:</source>
        <translation>
            <numerusform>Tried on {images} training images, and how many were right; the first is open now, and 1 worse one is not listed:</numerusform>
            <numerusform>Tried on {images} training images, and how many were right; the first is open now, and %n worse ones are not listed:</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>With this order, {share} of %n test images are correct.</source>
        <translation>
            <numerusform>With this order, {share} of 1 test image are correct.</numerusform>
            <numerusform>With this order, {share} of %n test images are correct.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{done} of %n runs checked</source>
        <translation>
            <numerusform>{done} of %n run checked</numerusform>
            <numerusform>{done} of %n runs checked</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{done} of %n runs have a result</source>
        <translation>
            <numerusform>{done} of %n run has a result</numerusform>
            <numerusform>{done} of %n runs have a result</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{ended} of %n runs have a result</source>
        <translation>
            <numerusform>{ended} of %n run has a result</numerusform>
            <numerusform>{ended} of %n runs have a result</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{found} of %n names found.</source>
        <translation>
            <numerusform>{found} of %n name found.</numerusform>
            <numerusform>{found} of %n names found.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{names} and %n more</source>
        <translation>
            <numerusform>{names} and 1 more</numerusform>
            <numerusform>{names} and %n more</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{share} %: %n images</source>
        <translation>
            <numerusform>{share} %: 1 image</numerusform>
            <numerusform>{share} %: %n images</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{state} · %n waiting</source>
        <translation>
            <numerusform>{state} · 1 waiting</numerusform>
            <numerusform>{state} · %n waiting</numerusform>
        </translation>
    </message>
</context>
</TS>
