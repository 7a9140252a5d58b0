"""Files of an archive -> rows of objects and series in the catalog."""
