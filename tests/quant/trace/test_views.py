from quant.trace.views import View, dealt_groups, is_flattening, numbers_of, shows_pixel

IMAGE = (6, 4, 5)


def test_numbers_that_an_image_may_be_joined_with() -> None:
    assert numbers_of(IMAGE) == ((6, 1, 1), (1, 4, 5), (6, 1, 5), (6, 4, 1))
    assert numbers_of((6,)) == ()


def test_flattening() -> None:
    assert is_flattening(IMAGE, (120,))
    assert is_flattening((7,), (7, 1, 1))
    assert is_flattening((6, 1, 5), (6, 5, 1)) and is_flattening((6, 5, 1), (6, 1, 5))
    assert not is_flattening(IMAGE, (6, 5, 4))
    assert not is_flattening(IMAGE, (6, 20))
    assert not is_flattening((7,), (1, 7))


def test_a_single_pixel_is_shown_as_a_vector() -> None:
    assert shows_pixel((6, 1, 1), (6,))
    assert not shows_pixel(IMAGE, (6,))
    assert not shows_pixel((6, 1, 1), (3, 2))


def test_a_shuffle_swaps_groups_with_their_channels() -> None:
    order = (0, 2, 1, 3, 4)
    assert dealt_groups(View("x", (2, 3, 4, 5)), IMAGE, order) == 2
    assert dealt_groups(View("x", (3, 2, 20)), IMAGE, (0, 2, 1, 3)) == 3


def test_other_transpositions_are_none() -> None:
    split = View("x", (2, 3, 4, 5))
    assert dealt_groups(split, IMAGE, (0, 1, 2, 4, 3)) == 0
    assert dealt_groups(View("x", (2, 3, 4, 5), groups=2), IMAGE, (0, 2, 1, 3, 4)) == 0
    assert dealt_groups(View("x", (2, 12, 5)), IMAGE, (0, 2, 1, 3)) == 0
    assert dealt_groups(View("x", (2, 3, 5, 4)), IMAGE, (0, 2, 1, 3, 4)) == 0
    assert dealt_groups(View("x", IMAGE), IMAGE, (0, 2, 1, 3)) == 0
