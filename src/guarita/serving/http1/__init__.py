"""The front: an HTTP/1.1 server protocol over uvloop and httptools that knows no policy.

`connections.Connections` is what the connections of one listener share, `front.Front` is one
connection, `request.Request` is one message on it. Who decides on requests is a `request.Handler`.
"""
