"""The way from a batch to a loss: named, found in the user's file, guessed, or the model's own."""
