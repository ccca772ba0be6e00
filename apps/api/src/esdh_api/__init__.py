"""The preview API of the hub, on Flask: rows over HTTP before anybody pulls a snapshot."""
