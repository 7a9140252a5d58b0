"""Guidelines as models: point tables in, points, levels and management out; tables optimised and compared."""
