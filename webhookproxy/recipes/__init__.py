"""The recipes: webhooks for well-known receivers, made from their public documentation.

Each is a file of this folder; a new one needs no code.
"""
