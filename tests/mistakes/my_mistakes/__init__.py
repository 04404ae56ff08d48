"""A project with mistakes in it: each class is an ordinary one but for the mistake that it is named after."""
