"""Working ahead keeps order, errors and ends as they are."""

import threading

import pytest

from nerf_talker.preprocess.ahead import DEPTH, ahead


class Source:
    """Counts to five, or fails at a number; remembers who ran it."""

    def __init__(self, fails_at=None):
        self.made, self.closed, self.threads = [], False, set()
        self._fails_at = fails_at

    def items(self):
        try:
            for number in range(5):
                self.threads.add(threading.get_ident())
                if number == self._fails_at:
                    raise ValueError("torn")
                self.made.append(number)
                yield number
        finally:
            self.threads.add(threading.get_ident())
            self.closed = True


def test_everything_comes_in_order_from_one_other_thread():
    source = Source()
    assert list(ahead(source.items())) == [0, 1, 2, 3, 4]
    assert source.closed and len(source.threads) == 1
    assert source.threads != {threading.get_ident()}
    assert list(ahead(iter([]))) == []


def test_an_error_comes_after_what_was_made_before_it():
    found = ahead(Source(fails_at=3).items())
    assert [next(found) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="torn"):
        next(found)


def test_what_is_left_early_is_closed_where_it_ran():
    source = Source()
    found = ahead(source.items())
    assert next(found) == 0
    found.close()
    assert source.closed and len(source.threads) == 1
    assert len(source.made) <= DEPTH + 1


def test_it_works_while_the_caller_does():
    made = threading.Event()

    def items():
        yield 0
        made.set()
        yield 1

    found = ahead(items())
    assert next(found) == 0
    assert made.wait(10), "the second item is made although nobody asked for it"
    assert list(found) == [1]
