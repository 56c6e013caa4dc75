"""The panels of the plugin: widgets that show the shared state and change it."""
