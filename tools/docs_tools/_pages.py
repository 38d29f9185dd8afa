"""Pages with a generated part between two marks."""


def replace_part(page: str, name: str, begin: str, end: str, content: str) -> str:
    """Return ``page`` with the text between its two marks replaced.

    Raises:
        ValueError: If a mark is missing; ``name`` is the page's.
    """
    before, found_begin, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f'{name} must hold the lines {begin!r} and {end!r}')
    return f'{before}{begin}\n\n{content}\n\n{end}{after}'
