"""What each verb does, one file each; `registry` names them."""
