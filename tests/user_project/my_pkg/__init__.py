"""What a user of hpsearch keeps in a package of their own."""
