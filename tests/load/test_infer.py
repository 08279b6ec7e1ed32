"""Triton's binary tensor extension, compared with NVIDIA's own client."""

import json

import numpy as np
import pytest
import tritonclient.http as official

from e2e.load import Answer
from e2e.load.infer import infer_body, tensors


def test_the_body_is_what_the_official_client_sends() -> None:
    array = np.arange(6, dtype=np.int32).reshape(2, 3)
    given = official.InferInput("x", [2, 3], "INT32")
    given.set_data_from_numpy(array)
    wanted = official.InferRequestedOutput("y", binary_data=True)
    theirs, length = official.InferenceServerClient.generate_request_body([given], [wanted])
    ours, headers = infer_body({"x": array}, ["y"])
    mine = int(headers["Inference-Header-Content-Length"])
    assert json.loads(ours[:mine]) == json.loads(theirs[:length])
    assert ours[mine:] == theirs[length:]


def test_an_answer_gives_its_tensors_back() -> None:
    scores, counts = np.array([[0.25, 0.75]], dtype=np.float32), np.array([7], dtype=np.int64)
    head = {
        "outputs": [
            {"name": "scores", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}},
            {"name": "counts", "shape": [1], "datatype": "INT64", "parameters": {"binary_data_size": 8}},
        ]
    }
    text = json.dumps(head).encode()
    answer = Answer(
        200, {"inference-header-content-length": str(len(text))}, text + scores.tobytes() + counts.tobytes()
    )
    found = tensors(answer)
    np.testing.assert_array_equal(found["scores"], scores)
    np.testing.assert_array_equal(found["counts"], counts)


@pytest.mark.parametrize("answer", [Answer(503, {}, b"busy"), Answer(200, {}, b"{}")])
def test_an_answer_without_tensors_is_refused(answer: Answer) -> None:
    with pytest.raises(ValueError, match="not an answer with tensors"):
        tensors(answer)
