"""The service: command line, settings, wiring, flows and the engine that runs them."""
