"""Inventories of one, another and three hosts, and a commit that they are brought to."""

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LOCAL = '[[hosts]]\nname = "a"\nlocal = true\n'
REMOTE = '[[hosts]]\nname = "b"\nssh = "deploy@b.example.com:2222"\nfolder = "/srv/pik kit"\n'
THREE = LOCAL + REMOTE + REMOTE.replace('"b"', '"c"').replace("b.example", "c.example")
