"""The demo's input is real and varied, and its check knows right from wrong."""

import json
from pathlib import Path

import magika
import numpy as np
import pytest

from e2e.demo import model
from e2e.demo.model import OUTPUT, SameAsDirect, Samples
from e2e.load import Answer, Target


@pytest.fixture(scope="module")
def known() -> Samples:
    return model.samples(wanted=110)


def answer(scores: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Answer:
    size = {"binary_data_size": scores.nbytes}
    entry = {"name": OUTPUT, "shape": list(scores.shape), "datatype": "FP32", "parameters": size}
    head = json.dumps({"outputs": [entry]}).encode()
    return Answer(200, {"inference-header-content-length": str(len(head))}, head + scores.tobytes())


def test_the_input_is_more_than_a_hundred_varied_real_files(known: Samples) -> None:
    assert len(known.paths) == len(set(known.paths)) == 110
    assert all(path.is_file() for path in known.paths)
    assert len(known.one_of_each_kind()) >= 30
    assert known.features.shape == (110, 2048)


def test_the_files_are_the_same_on_every_call(known: Samples) -> None:
    assert model.samples(wanted=20).paths == known.paths[:20]


def test_features_and_labels_are_magikas_own(known: Samples) -> None:
    classifier = magika.Magika()
    for file in known.one_of_each_kind():
        prediction = classifier.identify_path(known.paths[file]).prediction
        assert known.label(file) == str(prediction.dl.label)
        assert known.score(file) == pytest.approx(prediction.score, abs=1e-4)


def test_files_that_magika_answers_without_the_model_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "few").write_bytes(b"abc")
    assert model.features(magika.Magika(), tmp_path / "few") is None
    assert model.features(magika.Magika(), tmp_path / "missing") is None


def test_alone_or_in_a_batch_the_answer_is_right_and_nothing_else_is(known: Samples) -> None:
    direct = known.direct
    for file in (0, 50, 109):
        assert direct(file, answer(direct.alone[[file]]))
        assert direct(file, answer(direct.batched[[file]]))
        assert direct(file, answer(direct.alone[[file]] + np.float32(5e-5)))
        assert not direct(file, answer(direct.alone[[file]] + np.float32(2e-4)))
    others = [file for file in range(110) if known.label(file) != known.label(0)]
    assert not any(direct(0, answer(direct.alone[[file]])) for file in others)


def test_the_same_scores_with_another_label_are_wrong() -> None:
    expected = np.array([[0.50004, 0.5]], dtype=np.float32)
    check = SameAsDirect(expected, expected)
    assert not check(0, answer(np.array([[0.5, 0.50004]], dtype=np.float32)))


@pytest.mark.parametrize(
    "broken",
    [
        Answer(200, {}, b"{}"),
        Answer(503, {}, b"busy"),
        answer(np.zeros((1, 0), dtype=np.float32)),
        answer(np.zeros((2, 214), dtype=np.float32)),
    ],
)
def test_an_answer_without_the_scores_is_wrong(known: Samples, broken: Answer) -> None:
    assert not known.direct(0, broken)


def test_each_file_is_one_request(known: Samples) -> None:
    requests = known.requests(Target("127.0.0.1", 30080, "/v2/models/filetype/infer"))
    assert len(requests) == 110
    assert requests[3].endswith(known.features[3].tobytes())
