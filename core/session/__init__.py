"""What a command or a click does: open, train, unlearn, resume, evaluate, check, export. Shared by both faces."""
