from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.core.request import GuestCell, Request
from pinning_filter.core.synthetic import host


def test_a_placement_is_read_over_all_its_cells() -> None:
    cells = host("cell:2 core:4").cells
    first = GuestCell(frozenset({2, 3}))
    second = GuestCell(frozenset({0, 1}))
    placement = Placement(
        Request((first, second), emulator_isolated=True),
        (
            CellPlacement(first, cells[1], {2: 4, 3: 5}, None, {6}),
            CellPlacement(second, cells[0], {0: 1, 1: 0}),
        ),
    )
    assert placement
    assert list(placement.pinning.items()) == [(0, 1), (1, 0), (2, 4), (3, 5)]
    assert placement.reserved == {6}
    assert [cell.taken for cell in placement.cells] == [{4, 5, 6}, {0, 1}]
