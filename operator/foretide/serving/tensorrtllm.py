"""The tensors of TensorRT-LLM's backend, which cannot complete a configuration: token ids in, token ids out.

The names and shapes are the backend's interface (its own `tensorrt_llm` configuration). What serves texts, sampling,
streaming and reports is here; tables for prompt tuning, speculative decoding and LoRA weights are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class TokenTensor:
    """An input or output as the backend knows it; `ragged` ones differ in size between the requests of a batch."""

    name: str
    data_type: str
    shape: tuple[int, ...]
    optional: bool = False
    ragged: bool = False
    scalar: bool = False  # one number a request, without a dimension of its own


_SCALARS: Final = {
    "INT32": "num_return_sequences end_id pad_id beam_width runtime_top_k runtime_top_p_reset_ids min_tokens",
    "FP32": "temperature runtime_top_p runtime_top_p_min runtime_top_p_decay len_penalty repetition_penalty "
    "beam_search_diversity_rate presence_penalty frequency_penalty",
    "BOOL": "early_stopping return_log_probs return_perf_metrics exclude_input_in_output stop streaming",
    "UINT64": "seed lora_task_id",
}

INPUTS: Final = (
    TokenTensor("input_ids", "INT32", (-1,), optional=True, ragged=True),
    TokenTensor("input_lengths", "INT32", (1,), scalar=True),
    TokenTensor("request_output_len", "INT32", (1,), scalar=True),
    *(
        TokenTensor(name, data_type, (1,), optional=True, scalar=True)
        for data_type, names in _SCALARS.items()
        for name in names.split()
    ),
    TokenTensor("stop_words_list", "INT32", (2, -1), optional=True, ragged=True),
    TokenTensor("bad_words_list", "INT32", (2, -1), optional=True, ragged=True),
    TokenTensor("embedding_bias", "FP32", (-1,), optional=True, ragged=True),
    TokenTensor("guided_decoding_guide_type", "STRING", (1,), optional=True, ragged=True),
    TokenTensor("guided_decoding_guide", "STRING", (1,), optional=True, ragged=True),
)
OUTPUTS: Final = (
    TokenTensor("output_ids", "INT32", (-1, -1)),
    TokenTensor("sequence_length", "INT32", (-1,)),
    TokenTensor("cum_log_probs", "FP32", (-1,)),
    TokenTensor("output_log_probs", "FP32", (-1, -1)),
    TokenTensor("sequence_index", "INT32", (1,)),
)
