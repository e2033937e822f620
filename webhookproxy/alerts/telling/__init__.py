"""From alerts to messages: who is told of what, when, in which words, and how it is sent."""
