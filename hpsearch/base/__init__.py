"""What every room stands on: errors, records, words, files. Nothing here imports anything of ours."""
