"""Pages for people: the report of a review, and the live pages. Every text is escaped; no page needs a script to be read."""
