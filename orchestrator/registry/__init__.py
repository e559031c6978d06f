"""The one door for object writes: strategy per kind, admission, finalizers, status split, bind."""
