"""A rehearsal of the people: a harmless real transaction, and who answers when."""
