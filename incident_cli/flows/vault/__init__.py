"""The vault: a ladder of pre-signed containments, armed in quiet, looked after, and fired in one block."""
