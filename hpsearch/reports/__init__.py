"""What a study leaves for people to read, a folder per subject: numbers, sentences, figures, a page."""
