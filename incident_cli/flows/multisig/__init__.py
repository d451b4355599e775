"""The Safe desk: proposals of a deployment's Safes shown, signed, delivered, followed and executed."""
