from foretide.scaling import forecast


def test_no_forecast_is_unknown_for_every_service() -> None:
    assert forecast.none(3).known.tolist() == [False, False, False]
