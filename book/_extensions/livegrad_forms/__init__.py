"""The book in other forms, each from the finished site: a PDF, an EPUB, and an archive of the site itself.

Nothing is executed for them. What was made is kept in `_build/forms` and offered on the home page of the site that it
was made from; the next build of the book begins with a site that offers nothing.
"""
