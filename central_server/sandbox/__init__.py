"""A stand-in for the WhatsApp Cloud API on this machine: for the demo, for the tests, for trying things out.

It speaks Graph (messages, media, templates), calls back with signed webhooks, and shows the chats on a page.
The product does not know that it is there: only WHATSAPP_BASE_URL differs. Nothing leaves this machine.
"""
