"""Messages: an outbox written in the transaction of each cause, and delivery by mail and to one signed webhook."""
