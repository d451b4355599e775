"""What is handed to people as a document: pure text from values."""
