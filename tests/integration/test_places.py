"""What a post names as a place is with its ticket, as workers make it."""

from __future__ import annotations

from pathlib import Path

from tests.plugins.scene import Scene, post

TEXT = "Water in de kelders aan de Esdoornlaan 14, 9301 CK Roden, en op de A28 staat het blank"


def test_a_ticket_tells_its_places(tmp_path: Path) -> None:
    """A real worker finds them, and a rebuild finds them again."""
    scene = Scene(tmp_path)
    try:
        worker = scene.worker().start()
        scene.append(post("p", TEXT), post("q", "Wanneer komt de nieuwe afvalkalender?"))
        places = scene.await_ticket("p", worker).assessment["places"]
        assert places == ["Esdoornlaan 14", "A28", "9301 CK", "Roden"]
        assert "places" not in scene.await_ticket("q", worker).assessment
        assert worker.stop() == 0
    finally:
        scene.close()
