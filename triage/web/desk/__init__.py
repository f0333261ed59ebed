"""The desk: the pages in which people work their queues.

``views`` keeps what the pages list, ``rows`` says what one line holds and which lines a filter
keeps, ``pages`` and ``tickets`` answer the browser, ``show`` and ``texts`` put it into words.
"""
