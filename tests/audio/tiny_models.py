"""Tiny speech encoders with random weights, saved as their real counterparts are."""

import torch

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "vocab_size": 8,
}


def save_tiny(kind, folder):
    """Write a random model of one kind; returns the folder."""
    import transformers

    torch.manual_seed(0)
    if kind == "whisper":
        config = transformers.WhisperConfig(
            d_model=16, encoder_layers=4, decoder_layers=1, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, num_mel_bins=80,
            vocab_size=32, pad_token_id=0, bos_token_id=1, eos_token_id=2,
            decoder_start_token_id=1, begin_suppress_tokens=None, suppress_tokens=None,
        )  # fmt: skip
        model = transformers.WhisperModel(config)
    else:
        name = {"hubert": "Hubert", "wav2vec2": "Wav2Vec2", "wavlm": "WavLM"}[kind]
        config = getattr(transformers, f"{name}Config")(**SIZES)
        model = getattr(transformers, f"{name}Model")(config)
    model.save_pretrained(folder)
    return folder
