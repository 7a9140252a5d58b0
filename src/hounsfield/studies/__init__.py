"""The published systems as studies: one YAML each, and a module where a system has parts of its own."""
