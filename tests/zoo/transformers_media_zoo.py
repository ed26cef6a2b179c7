"""Hugging Face transformers beyond language models: sequence to sequence, vision, sound, series, mixtures."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from .transformers_zoo import BATCH, VOCABULARY, Batch, register, small, tokens

CLASSES = 5

# --- text: sequence to sequence, and heads other than a language model's -------------------------


def pair_batch() -> dict[str, Any]:
    return {"input_ids": tokens(), "labels": tokens(12)}


def seq2seq(name: str, model: str, learning_rate: float = 1e-3, **settings: Any) -> None:
    register(name, model, pair_batch, small(BOTH_SIDES | settings), learning_rate)


BOTH_SIDES = {
    "num_hidden_layers": None,
    "decoder_start_token_id": 2,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 128,
}
T5_SIZES = {
    "num_hidden_layers": None,
    "d_kv": 16,
    "d_ff": 128,
    "num_layers": 2,
    "num_heads": 4,
    "decoder_start_token_id": 0,
}

seq2seq("t5", "T5ForConditionalGeneration", **T5_SIZES)
seq2seq("flan-t5-gated", "T5ForConditionalGeneration", **T5_SIZES, feed_forward_proj="gated-gelu")
seq2seq("mt5", "MT5ForConditionalGeneration", **T5_SIZES)
seq2seq("umt5", "UMT5ForConditionalGeneration", **T5_SIZES)
seq2seq("long-t5", "LongT5ForConditionalGeneration", **T5_SIZES, local_radius=8)
seq2seq(
    "switch-transformer",
    "SwitchTransformersForConditionalGeneration",
    **T5_SIZES,
    num_decoder_layers=2,
    num_experts=4,
)
seq2seq("bart", "BartForConditionalGeneration", d_model=64)
seq2seq("mbart", "MBartForConditionalGeneration", d_model=64)
seq2seq("pegasus", "PegasusForConditionalGeneration", d_model=64)
seq2seq("pegasus-x", "PegasusXForConditionalGeneration", d_model=64, num_global_tokens=4, block_size=8)
seq2seq("marian", "MarianMTModel", d_model=64)
seq2seq("m2m100", "M2M100ForConditionalGeneration", d_model=64)
seq2seq("blenderbot", "BlenderbotForConditionalGeneration", d_model=64)
seq2seq("blenderbot-small", "BlenderbotSmallForConditionalGeneration", d_model=64)
seq2seq("led", "LEDForConditionalGeneration", d_model=64, attention_window=8)
seq2seq("nllb-moe", "NllbMoeForConditionalGeneration", d_model=64, num_experts=4, expert_capacity=16)
seq2seq("plbart", "PLBartForConditionalGeneration", d_model=64)
seq2seq("mvp", "MvpForConditionalGeneration", d_model=64)
seq2seq("bigbird-pegasus", "BigBirdPegasusForConditionalGeneration", d_model=64, attention_type="original_full")


def class_batch() -> dict[str, Any]:
    return {"input_ids": tokens(), "labels": torch.arange(BATCH) % CLASSES}


def tag_batch() -> dict[str, Any]:
    return {"input_ids": tokens(), "labels": torch.randint(CLASSES, (BATCH, 16))}


def span_batch() -> dict[str, Any]:
    starts = torch.randint(8, (BATCH,))
    return {"input_ids": tokens(), "start_positions": starts, "end_positions": starts + 4}


def choice_batch() -> dict[str, Any]:
    return {"input_ids": torch.randint(3, VOCABULARY, (BATCH, 3, 12)), "labels": torch.arange(BATCH) % 3}


def score_batch() -> dict[str, Any]:
    return {"input_ids": tokens(), "labels": torch.randn(BATCH)}


def headed(name: str, model: str, batch: Batch, learning_rate: float = 1e-3, **settings: Any) -> None:
    register(name, model, batch, small({"num_labels": CLASSES} | settings), learning_rate)


headed("bert-classifier", "BertForSequenceClassification", class_batch)
headed("roberta-classifier", "RobertaForSequenceClassification", class_batch)
headed("bert-regression", "BertForSequenceClassification", score_batch, num_labels=1)
headed("deberta-v2-classifier", "DebertaV2ForSequenceClassification", class_batch)
headed("llama-classifier", "LlamaForSequenceClassification", class_batch)
headed("bert-tagger", "BertForTokenClassification", tag_batch)
headed("xlm-roberta-tagger", "XLMRobertaForTokenClassification", tag_batch)
headed("bert-question-answering", "BertForQuestionAnswering", span_batch, num_labels=2)
headed("electra-question-answering", "ElectraForQuestionAnswering", span_batch, num_labels=2, embedding_size=32)
headed("bert-multiple-choice", "BertForMultipleChoice", choice_batch)
headed(
    "canine",
    "CanineForSequenceClassification",
    class_batch,
    local_transformer_stride=8,
    num_hash_buckets=64,
    downsampling_rate=2,
)

# --- vision ------------------------------------------------------------------------------------

VIT = {"image_size": 32, "patch_size": 8}
PYRAMID = {"depths": [1, 1, 1, 1], "hidden_sizes": [16, 32, 48, 64]}


def pictures(size: int, frames: int = BATCH) -> torch.Tensor:
    """Smooth random colours with some noise, as photographs have."""
    coarse = torch.randn(frames, 3, size // 16, size // 16)
    smooth = F.interpolate(coarse, size=(size, size), mode="bilinear")
    return smooth + 0.1 * torch.randn_like(smooth)


def picture_batch(size: int = 32) -> dict[str, Any]:
    return {"pixel_values": pictures(size), "labels": torch.arange(BATCH) % CLASSES}


def picture(name: str, model: str, size: int = 32, learning_rate: float = 1e-3, **settings: Any) -> None:
    """An isotropic classifier, which takes the same sizes as a language model."""
    headed(name, model, lambda: picture_batch(size), learning_rate, **(VIT | settings))


def stages(name: str, model: str, batch: Batch | None = None, learning_rate: float = 1e-3, **settings: Any) -> None:
    """A model whose resolution falls in stages, each with a size of its own."""
    register(name, model, batch or (lambda: picture_batch(64)), {"num_labels": CLASSES} | settings, learning_rate)


picture("vit", "ViTForImageClassification")
picture("deit", "DeiTForImageClassification")
picture("beit", "BeitForImageClassification")
picture("data2vec-vision", "Data2VecVisionForImageClassification")
picture("vit-msn", "ViTMSNForImageClassification")
picture("dinov2", "Dinov2ForImageClassification")
picture("dinov2-registers", "Dinov2WithRegistersForImageClassification")
picture("ijepa", "IJepaForImageClassification")
stages(
    "hiera",
    "HieraForImageClassification",
    image_size=[64, 64],
    embed_dim=16,
    num_heads=[1, 2, 4, 4],
    depths=[1, 1, 1, 1],
    num_hidden_layers=None,
)
stages(
    "swin",
    "SwinForImageClassification",
    embed_dim=16,
    depths=[2, 2],
    num_heads=[2, 4],
    window_size=4,
    image_size=32,
    patch_size=2,
)
stages(
    "swinv2",
    "Swinv2ForImageClassification",
    embed_dim=16,
    depths=[2, 2],
    num_heads=[2, 4],
    window_size=4,
    image_size=32,
    patch_size=2,
)
stages(
    "donut-swin",
    "DonutSwinForImageClassification",
    embed_dim=16,
    depths=[2, 2],
    num_heads=[2, 4],
    window_size=4,
    image_size=32,
    patch_size=2,
)
stages("convnext", "ConvNextForImageClassification", **PYRAMID)
stages("convnextv2", "ConvNextV2ForImageClassification", **PYRAMID)
stages("resnet", "ResNetForImageClassification", **PYRAMID, embedding_size=16)
stages("resnet-basic", "ResNetForImageClassification", **PYRAMID, embedding_size=16, layer_type="basic")
stages("mobilenet-v1", "MobileNetV1ForImageClassification", classifier_dropout_prob=0.1, depth_multiplier=0.25)
stages("mobilenet-v2", "MobileNetV2ForImageClassification", classifier_dropout_prob=0.1, depth_multiplier=0.25)
stages(
    "mobilevit",
    "MobileViTForImageClassification",
    learning_rate=5e-3,
    image_size=64,
    hidden_sizes=[32, 48, 64],
    neck_hidden_sizes=[8, 8, 16, 16, 24, 32, 64],
)
stages("mobilevit-v2", "MobileViTV2ForImageClassification", image_size=64, width_multiplier=0.25)
stages("poolformer", "PoolFormerForImageClassification", **PYRAMID)
stages("pvt", "PvtForImageClassification", **PYRAMID, image_size=64, num_attention_heads=[1, 2, 4, 4])
stages("pvt-v2", "PvtV2ForImageClassification", **PYRAMID, image_size=64, num_attention_heads=[1, 2, 4, 4])
stages(
    "levit",
    "LevitForImageClassification",
    image_size=64,
    hidden_sizes=[32, 48, 64],
    num_attention_heads=[2, 3, 4],
    depths=[1, 1, 1],
    key_dim=[8, 8, 8],
)
stages("cvt", "CvtForImageClassification", embed_dim=[16, 32, 48], num_heads=[1, 2, 3], depth=[1, 2, 3])
stages(
    "focalnet",
    "FocalNetForImageClassification",
    image_size=64,
    embed_dim=16,
    depths=[1, 1, 1, 1],
    hidden_sizes=[16, 32, 64, 128],
)
stages(
    "segformer-classifier",
    "SegformerForImageClassification",
    **PYRAMID,
    num_attention_heads=[1, 2, 4, 4],
    decoder_hidden_size=32,
)
stages("swiftformer", "SwiftFormerForImageClassification", embed_dims=[16, 32, 48, 64], depths=[1, 1, 1, 1])
stages(
    "hgnet-v2",
    "HGNetV2ForImageClassification",
    depths=[1, 1, 1, 1],
    hidden_sizes=[16, 32, 48, 64],
    embedding_size=8,
    stem_channels=[3, 8, 8],
    stage_in_channels=[8, 16, 32, 48],
    stage_mid_channels=[8, 8, 16, 16],
    stage_out_channels=[16, 32, 48, 64],
    stage_num_blocks=[1, 1, 1, 1],
    stage_numb_of_layers=[2, 2, 2, 2],
)
stages("textnet", "TextNetForImageClassification")
picture("siglip-classifier", "SiglipForImageClassification", vision_config={**small(VIT)}, text_config=small({}))
picture("clip-classifier", "CLIPForImageClassification", vision_config={**small(VIT)}, text_config=small({}))
picture(
    "perceiver-image",
    "PerceiverForImageClassificationLearned",
    image_size=32,
    num_latents=16,
    d_latents=64,
    d_model=512,
    num_blocks=1,
    num_self_attends_per_block=2,
    num_self_attention_heads=4,
    num_cross_attention_heads=1,
)


def bare_picture_batch() -> dict[str, Any]:
    return {"pixel_values": pictures(32)}


def mask_batch(size: int = 64) -> dict[str, Any]:
    """Squares of sixteen pixels, each of one class that its colour tells."""
    squares = torch.randint(CLASSES, (BATCH, size // 16, size // 16))
    regions = squares.repeat_interleave(16, 1).repeat_interleave(16, 2)
    colours = torch.randn(CLASSES, 3)[regions].permute(0, 3, 1, 2)
    return {"pixel_values": colours + 0.1 * torch.randn_like(colours), "labels": regions}


def depth_batch(size: int = 64) -> dict[str, Any]:
    depth = torch.rand(BATCH, size, size) * 4 + 1
    return {"pixel_values": pictures(size), "labels": depth}


headed(
    "vit-mae",
    "ViTMAEForPreTraining",
    bare_picture_batch,
    5e-3,
    **VIT,
    mask_ratio=0.5,
    decoder_hidden_size=32,
    decoder_num_hidden_layers=2,
    decoder_num_attention_heads=4,
    decoder_intermediate_size=64,
)
stages(
    "segformer",
    "SegformerForSemanticSegmentation",
    mask_batch,
    **PYRAMID,
    num_attention_heads=[1, 2, 4, 4],
    decoder_hidden_size=32,
)
headed(
    "beit-segmentation",
    "BeitForSemanticSegmentation",
    mask_batch,
    image_size=64,
    patch_size=8,
    num_hidden_layers=4,
    out_indices=[1, 2, 3, 4],
    pool_scales=[1, 2],
)
stages(
    "mobilevit-segmentation",
    "MobileViTForSemanticSegmentation",
    mask_batch,
    5e-3,
    image_size=64,
    hidden_sizes=[32, 48, 64],
    neck_hidden_sizes=[8, 8, 16, 16, 24, 32, 64],
    aspp_out_channels=32,
)
stages("mobilenet-v2-segmentation", "MobileNetV2ForSemanticSegmentation", mask_batch, depth_multiplier=0.25)
headed(
    "dpt-segmentation",
    "DPTForSemanticSegmentation",
    mask_batch,
    image_size=64,
    patch_size=8,
    num_hidden_layers=4,
    backbone_out_indices=[0, 1, 2, 3],
    neck_hidden_sizes=[16, 16, 32, 32],
    fusion_hidden_size=32,
    auxiliary_loss_weight=0.4,
)
stages(
    "upernet",
    "UperNetForSemanticSegmentation",
    mask_batch,
    hidden_size=32,
    pool_scales=[1, 2],
    auxiliary_in_channels=48,
    auxiliary_channels=16,
    backbone_config={
        "model_type": "convnext",
        **PYRAMID,
        "out_features": ["stage1", "stage2", "stage3", "stage4"],
    },
)
stages(
    "glpn",
    "GLPNForDepthEstimation",
    depth_batch,
    **PYRAMID,
    num_attention_heads=[1, 2, 4, 4],
    decoder_hidden_size=16,
)

# --- detection ---------------------------------------------------------------------------------


def boxes_batch() -> dict[str, Any]:
    """Two boxes a picture, in relative centre, width and height."""
    targets = [
        {"class_labels": torch.randint(CLASSES, (2,)), "boxes": torch.rand(2, 4) * 0.3 + 0.3} for _ in range(BATCH)
    ]
    return {"pixel_values": pictures(64), "labels": targets}


BACKBONE = {"model_type": "resnet", **PYRAMID, "embedding_size": 16, "out_features": ["stage4"]}
DETR = {
    "use_timm_backbone": False,
    "use_pretrained_backbone": False,
    "backbone": None,
    "d_model": 64,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 128,
    "num_queries": 8,
}

headed(
    "yolos",
    "YolosForObjectDetection",
    boxes_batch,
    image_size=[64, 64],
    patch_size=16,
    num_detection_tokens=8,
)
stages("detr", "DetrForObjectDetection", boxes_batch, **DETR, backbone_config=BACKBONE)
stages("conditional-detr", "ConditionalDetrForObjectDetection", boxes_batch, **DETR, backbone_config=BACKBONE)
stages("table-transformer", "TableTransformerForObjectDetection", boxes_batch, **DETR, backbone_config=BACKBONE)
stages("dab-detr", "DabDetrForObjectDetection", boxes_batch, **DETR, hidden_size=64, backbone_config=BACKBONE)
stages(
    "deformable-detr",
    "DeformableDetrForObjectDetection",
    boxes_batch,
    **DETR,
    backbone_config=BACKBONE | {"out_features": ["stage2", "stage3", "stage4"]},
    num_feature_levels=3,
    disable_custom_kernels=True,
)

# --- sound -------------------------------------------------------------------------------------

CONVOLUTIONS = {
    "conv_dim": (32, 32, 32),
    "conv_kernel": (10, 8, 4),
    "conv_stride": (5, 4, 2),
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": 20,
    "classifier_proj_size": 32,
    "mask_time_prob": 0.0,
    "ctc_loss_reduction": "mean",
}


def waves(samples: int = 2400) -> torch.Tensor:
    """A tone of its own for each example, in noise."""
    pitch = torch.rand(BATCH, 1) * 0.3 + 0.02
    return torch.sin(pitch * torch.arange(samples)) + 0.1 * torch.randn(BATCH, samples)


def speech_batch() -> dict[str, Any]:
    return {"input_values": waves(), "labels": torch.randint(1, 20, (BATCH, 6))}


def sound_batch() -> dict[str, Any]:
    return {"input_values": waves(), "labels": torch.arange(BATCH) % CLASSES}


def speech(name: str, model: str, learning_rate: float = 1e-3, **settings: Any) -> None:
    register(name, model, speech_batch, small(CONVOLUTIONS | settings), learning_rate)


def sound(name: str, model: str, **settings: Any) -> None:
    headed(name, model, sound_batch, **CONVOLUTIONS, **settings)


speech("wav2vec2", "Wav2Vec2ForCTC")
speech("wav2vec2-stable-layernorm", "Wav2Vec2ForCTC", do_stable_layer_norm=True, feat_extract_norm="layer")
speech("wav2vec2-conformer", "Wav2Vec2ConformerForCTC")
speech("hubert", "HubertForCTC")
speech("wavlm", "WavLMForCTC", num_buckets=16, max_bucket_distance=32)
speech("unispeech", "UniSpeechForCTC", num_ctc_classes=20)
speech("unispeech-sat", "UniSpeechSatForCTC")
speech("data2vec-audio", "Data2VecAudioForCTC", conv_pos_kernel_size=5)
speech("sew", "SEWForCTC", squeeze_factor=1)
sound("wav2vec2-classifier", "Wav2Vec2ForSequenceClassification")
sound("hubert-classifier", "HubertForSequenceClassification")
sound("wavlm-classifier", "WavLMForSequenceClassification")


def mel_batch(frames: int, bins: int, key: str, labels: torch.Tensor) -> dict[str, Any]:
    return {key: torch.randn(BATCH, frames, bins), "labels": labels}


headed(
    "audio-spectrogram-transformer",
    "ASTForAudioClassification",
    lambda: mel_batch(64, 32, "input_values", torch.arange(BATCH) % CLASSES),
    max_length=64,
    num_mel_bins=32,
    patch_size=16,
)
register(
    "whisper",
    "WhisperForConditionalGeneration",
    lambda: mel_batch(16, 64, "input_features", tokens(12)),
    small(BOTH_SIDES | {"d_model": 64, "num_mel_bins": 16, "max_source_positions": 32, "max_target_positions": 32}),
    1e-3,
)
register(
    "speech-to-text",
    "Speech2TextForConditionalGeneration",
    lambda: mel_batch(64, 16, "input_features", tokens(12)),
    small(BOTH_SIDES | {"d_model": 64, "input_feat_per_channel": 16, "conv_channels": 64}),
    1e-3,
)
register(
    "wav2vec2-bert",
    "Wav2Vec2BertForCTC",
    lambda: mel_batch(40, 16, "input_features", torch.randint(1, 20, (BATCH, 6))),
    small(CONVOLUTIONS | {"feature_projection_input_dim": 16}),
    1e-3,
)
register(
    "moonshine",
    "MoonshineForConditionalGeneration",
    lambda: {"input_values": waves(4000), "labels": tokens(12)},
    small(
        {
            "encoder_num_hidden_layers": 2,
            "decoder_num_hidden_layers": 2,
            "encoder_num_attention_heads": 4,
            "decoder_num_attention_heads": 4,
            "decoder_start_token_id": 1,
            "num_hidden_layers": None,
            "num_attention_heads": None,
            "num_key_value_heads": None,
        }
    ),
    1e-3,
)

# --- video -------------------------------------------------------------------------------------


def video_batch() -> dict[str, Any]:
    frames = pictures(32, BATCH * 4).unflatten(0, (BATCH, 4))
    return {"pixel_values": frames, "labels": torch.arange(BATCH) % CLASSES}


headed("videomae", "VideoMAEForVideoClassification", video_batch, **VIT, num_frames=4)
headed("vivit", "VivitForVideoClassification", video_batch, image_size=32, num_frames=4, tubelet_size=[2, 8, 8])
headed("timesformer", "TimesformerForVideoClassification", video_batch, **VIT, num_frames=4)

# --- text with pictures --------------------------------------------------------------------------

TOWERS = {"text_config": small({}), "vision_config": small(VIT), "projection_dim": 32}


def contrastive_batch() -> dict[str, Any]:
    return {"input_ids": tokens(), "pixel_values": pictures(32), "return_loss": True}


def caption_batch() -> dict[str, Any]:
    ids = tokens()
    return {"input_ids": ids, "pixel_values": pictures(32), "labels": ids.clone()}


def answer_batch() -> dict[str, Any]:
    return {
        "input_ids": tokens(),
        "pixel_values": pictures(32),
        "labels": F.one_hot(torch.arange(BATCH) % CLASSES, CLASSES).float(),
    }


def paired(name: str, model: str, **settings: Any) -> None:
    register(name, model, contrastive_batch, TOWERS | settings, 1e-3)


paired("clip", "CLIPModel")
paired("siglip", "SiglipModel")
paired("altclip", "AltCLIPModel", text_config=small({"project_dim": 64}))
paired("blip", "BlipModel", text_config=small({"encoder_hidden_size": 64, "is_decoder": False}))
paired("chinese-clip", "ChineseCLIPModel")
paired("metaclip2", "MetaClip2Model")
register("vilt", "ViltForQuestionAnswering", answer_batch, small(VIT | {"num_labels": CLASSES}), 1e-3)
register("git", "GitForCausalLM", caption_batch, small({"vision_config": small(VIT)}), 1e-3)
register(
    "blip-captioning",
    "BlipForConditionalGeneration",
    caption_batch,
    TOWERS | {"text_config": small({"encoder_hidden_size": 64})},
    1e-3,
)


def image_tokens_batch() -> dict[str, Any]:
    """Sixteen placeholders for a picture's patches, then text."""
    text = tokens(8)
    ids = torch.cat([torch.full((BATCH, 16), 99), text.clamp(max=98)], 1)
    return {"input_ids": ids, "pixel_values": pictures(32), "labels": ids.masked_fill(ids == 99, -100)}


def placed(name: str, model: str, text: str, vision: str, **settings: Any) -> None:
    """A language model with a picture's patches in its sequence."""
    configs = {
        "text_config": {"model_type": text, **small({})},
        "vision_config": {"model_type": vision, **small(VIT)},
        "image_token_id": 99,
        "image_token_index": 99,
    }
    register(name, model, image_tokens_batch, configs | settings, 1e-3)


placed("llava", "LlavaForConditionalGeneration", "llama", "clip_vision_model")
placed(
    "vip-llava",
    "VipLlavaForConditionalGeneration",
    "llama",
    "clip_vision_model",
    vision_feature_layers=[-2, -1],
)
placed("paligemma", "PaliGemmaForConditionalGeneration", "gemma", "siglip_vision_model", projection_dim=64)

# --- series ------------------------------------------------------------------------------------


def forecast_batch(past: int = 24, future: int = 6) -> dict[str, Any]:
    """Sinusoids of several periods, with two features of the time."""
    times = torch.arange(past + future) * torch.rand(BATCH * 2, 1)
    values = torch.sin(times) + 0.1 * torch.randn_like(times)
    features = torch.stack([times.sin(), times.cos()], -1)
    return {
        "past_values": values[:, :past],
        "past_time_features": features[:, :past],
        "past_observed_mask": torch.ones(BATCH * 2, past),
        "future_values": values[:, past:],
        "future_time_features": features[:, past:],
    }


SERIES = {
    "prediction_length": 6,
    "context_length": 17,
    "lags_sequence": [1, 2, 7],
    "d_model": 32,
    "num_time_features": 2,
    "scaling": "mean",
}


def forecast(name: str, model: str, learning_rate: float = 1e-3, **settings: Any) -> None:
    sizes = {key: value for key, value in BOTH_SIDES.items() if value is not None}
    register(name, model, forecast_batch, sizes | SERIES | settings, learning_rate)


def channels_batch() -> dict[str, Any]:
    times = torch.arange(40)[None, :, None] * torch.rand(BATCH * 2, 1, 3)
    values = torch.sin(times) + 0.1 * torch.randn_like(times)
    return {"past_values": values[:, :32], "future_values": values[:, 32:]}


def patches(name: str, model: str) -> None:
    sizes = {
        "context_length": 32,
        "prediction_length": 8,
        "num_input_channels": 3,
        "patch_length": 8,
        "patch_stride": 8,
        "d_model": 32,
        "num_hidden_layers": 2,
        "num_layers": 2,
        "num_attention_heads": 4,
        "ffn_dim": 64,
    }
    register(name, model, channels_batch, sizes, 1e-3)


forecast("time-series-transformer", "TimeSeriesTransformerForPrediction")
forecast("informer", "InformerForPrediction")
forecast("autoformer", "AutoformerForPrediction", 5e-3, label_length=4, moving_average=5)
patches("patchtst", "PatchTSTForPrediction")
patches("patchtsmixer", "PatchTSMixerForPrediction")
