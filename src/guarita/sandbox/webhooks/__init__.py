"""Telling customers what happened to their money: signed HTTP requests to the URLs they registered.

- `event_types`: the events there are; `outbox`: writing them, in the transaction they tell of
- `subscriptions`: registering, listing and deleting webhooks
- `signing`: the headers of a delivery
- `targets`: which URLs and addresses may be sent to; `client`: one HTTP request to such a target
- `queue`: deliveries as rows: claiming, recording outcomes; `delivery`: the courier that does it
- `events`: what was written, and what became of it; `dead_letters`: deliveries given up, and
  sending them again
- `receiver`: the customer's side: verifying a delivery, and an application that does
"""
