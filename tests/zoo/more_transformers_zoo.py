"""Hugging Face transformers, the newer and the rarer families; BERT and GPT-2 at their published size too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from .registry import Built, architecture
from .transformers_media_zoo import (
    BACKBONE,
    BOTH_SIDES,
    CLASSES,
    CONVOLUTIONS,
    PYRAMID,
    T5_SIZES,
    TOWERS,
    VIT,
    boxes_batch,
    class_batch,
    contrastive_batch,
    headed,
    picture_batch,
    pictures,
    span_batch,
    speech_batch,
    tag_batch,
)
from .transformers_zoo import (
    BATCH,
    HEADS_16,
    LIBRARY,
    MOE,
    VOCABULARY,
    build_model,
    causal,
    masked,
    masked_batch,
    own_loss,
    register,
    small,
    tokens,
)

# --- language models ---------------------------------------------------------------------------

EXPERTS = MOE | HEADS_16
ROUTED = EXPERTS | {"n_routed_experts": 4, "n_shared_experts": 1, "n_group": 1, "topk_group": 1}
LATENT = {"kv_lora_rank": 16, "q_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 16}
MAMBA_2 = {"mamba_d_state": 8, "chunk_size": 8, "use_mamba_kernels": False}
LINEAR = HEADS_16 | {
    "num_hidden_layers": 4,
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
}

CAUSAL: dict[str, tuple[str, dict[str, Any]]] = {
    "afmoe": ("AfmoeForCausalLM", EXPERTS | {"num_dense_layers": 1}),
    "bert-generation": ("BertGenerationDecoder", {"is_decoder": True}),
    "cpmant": ("CpmAntForCausalLM", {"dim_head": 16, "dim_ff": 128, "prompt_length": 4}),
    "cwm": ("CwmForCausalLM", HEADS_16),
    "dots1": ("Dots1ForCausalLM", ROUTED | {"first_k_dense_replace": 1}),
    "ernie4-5": ("Ernie4_5ForCausalLM", HEADS_16),
    "ernie4-5-moe": ("Ernie4_5_MoeForCausalLM", EXPERTS | {"moe_num_experts": 4, "moe_k": 2}),
    "exaone-moe": ("ExaoneMoeForCausalLM", EXPERTS),
    "falcon-h1": (
        "FalconH1ForCausalLM",
        HEADS_16
        | {"mamba_d_ssm": 64, "mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 8, "mamba_chunk_size": 8},
    ),
    "flex-olmo": ("FlexOlmoForCausalLM", EXPERTS),
    "gemma3n": (
        "Gemma3nForCausalLM",
        HEADS_16
        | {
            "vocab_size_per_layer_input": VOCABULARY,
            "hidden_size_per_layer_input": 16,
            "laurel_rank": 8,
            "num_kv_shared_layers": 1,
            "layer_types": ["sliding_attention", "full_attention", "full_attention"],
            "activation_sparsity_pattern": None,
        },
    ),
    "gemma4": (
        "Gemma4ForCausalLM",
        HEADS_16 | {"vocab_size_per_layer_input": VOCABULARY, "hidden_size_per_layer_input": 16, "global_head_dim": 16},
    ),
    "glm4-moe": ("Glm4MoeForCausalLM", ROUTED | {"first_k_dense_replace": 1}),
    "gpt-neox-japanese": ("GPTNeoXJapaneseForCausalLM", {}),
    "granitemoe-shared": ("GraniteMoeSharedForCausalLM", MOE | {"shared_intermediate_size": 64}),
    "hunyuan": ("HunYuanDenseV1ForCausalLM", HEADS_16),
    "hunyuan-moe": ("HunYuanMoEV1ForCausalLM", EXPERTS),
    "hyperclovax": ("HyperCLOVAXForCausalLM", {}),
    "hy-v3": ("HYV3ForCausalLM", EXPERTS),
    "jais2": ("Jais2ForCausalLM", HEADS_16),
    "laguna": ("LagunaForCausalLM", EXPERTS),
    "lfm2-moe": (
        "Lfm2MoeForCausalLM",
        MOE | {"num_dense_layers": 1, "layer_types": ["conv", "full_attention", "conv"]},
    ),
    "mellum": ("MellumForCausalLM", EXPERTS),
    "mimo-v2-flash": ("MiMoV2FlashForCausalLM", EXPERTS),
    "minicpm3": ("MiniCPM3ForCausalLM", LATENT),
    "minimax-m2": ("MiniMaxM2ForCausalLM", EXPERTS),
    "ministral": ("MinistralForCausalLM", HEADS_16),
    "mistral4": ("Mistral4ForCausalLM", ROUTED | LATENT | {"first_k_dense_replace": 1}),
    "nanochat": ("NanoChatForCausalLM", {}),
    "nemotron-h": (
        "NemotronHForCausalLM",
        EXPERTS
        | {
            "mamba_num_heads": 8,
            "mamba_head_dim": 16,
            "ssm_state_size": 8,
            "n_groups": 1,
            "chunk_size": 8,
            "hybrid_override_pattern": "M*-",
        },
    ),
    "olmo3": ("Olmo3ForCausalLM", {}),
    "olmo-hybrid": ("OlmoHybridForCausalLM", HEADS_16),
    "qwen3-5": ("Qwen3_5ForCausalLM", LINEAR),
    "qwen3-5-moe": ("Qwen3_5MoeForCausalLM", EXPERTS | LINEAR | {"shared_expert_intermediate_size": 64}),
    "seed-oss": ("SeedOssForCausalLM", HEADS_16),
    "solar-open": ("SolarOpenForCausalLM", ROUTED),
    "trocr": ("TrOCRForCausalLM", BOTH_SIDES | {"d_model": 64}),
    "vaultgemma": ("VaultGemmaForCausalLM", HEADS_16),
    "youtu": ("YoutuForCausalLM", LATENT),
    "zamba2": (
        "Zamba2ForCausalLM",
        MAMBA_2
        | {
            "n_mamba_heads": 8,
            "mamba_headdim": 16,
            "num_mem_blocks": 1,
            "attention_head_dim": 32,
            "layers_block_type": ["mamba", "hybrid", "mamba"],
        },
    ),
}
for causal_name, (causal_model, sizes) in CAUSAL.items():
    causal(causal_name, causal_model, **sizes)
causal("cohere2-moe", "Cohere2MoeForCausalLM", 5e-3, **EXPERTS)  # it scales the logits by 1/16

XLM_SIZES = {"emb_dim": 64, "n_layers": 2, "n_heads": 4, "n_words": VOCABULARY}
masked("xlm", "XLMWithLMHeadModel", **XLM_SIZES)
masked("flaubert", "FlaubertWithLMHeadModel", **XLM_SIZES)
masked(
    "roc-bert",
    "RoCBertForMaskedLM",
    pronunciation_vocab_size=10,
    shape_vocab_size=10,
    pronunciation_embed_dim=16,
    shape_embed_dim=16,
)
masked("gte", "GteForMaskedLM")
masked("jina-embeddings-v3", "JinaEmbeddingsV3ForMaskedLM")
masked("layoutlm", "LayoutLMForMaskedLM")
masked("tapas", "TapasForMaskedLM")
masked("esmc", "EsmcForMaskedLM", num_key_value_heads=4)


def next_sentence_batch() -> dict[str, Any]:
    return masked_batch() | {"next_sentence_label": torch.arange(BATCH) % 2}


def replaced_batch() -> dict[str, Any]:
    return {"input_ids": tokens(), "labels": torch.randint(2, (BATCH, 16))}


headed("bert-pretraining", "BertForPreTraining", next_sentence_batch)
headed("electra-discriminator", "ElectraForPreTraining", replaced_batch, embedding_size=32)
headed("gpt2-classifier", "GPT2ForSequenceClassification", class_batch)
headed("t5-tagger", "T5ForTokenClassification", tag_batch, **T5_SIZES)
headed("splinter", "SplinterForQuestionAnswering", span_batch)

# --- pages: words with their places --------------------------------------------------------------


def page_batch(**extra: torch.Tensor) -> dict[str, Any]:
    corners = torch.randint(0, 400, (BATCH, 16, 2))
    boxes = torch.cat([corners, corners + torch.randint(1, 400, (BATCH, 16, 2))], -1)
    return {"input_ids": tokens(), "bbox": boxes, "labels": torch.randint(CLASSES, (BATCH, 16))} | extra


headed(
    "layoutlmv3",
    "LayoutLMv3ForTokenClassification",
    lambda: page_batch(pixel_values=pictures(32)),
    input_size=32,
    patch_size=8,
    coordinate_size=10,
    shape_size=12,
    max_2d_position_embeddings=1024,
)
headed(
    "lilt",
    "LiltForTokenClassification",
    page_batch,
    hidden_size=96,
    channel_shrink_ratio=4,
    max_2d_position_embeddings=1024,
)
headed("bros", "BrosForTokenClassification", lambda: page_batch(bbox=torch.rand(BATCH, 16, 4)))
headed("markuplm", "MarkupLMForTokenClassification", tag_batch, xpath_unit_hidden_size=8, max_depth=10)
register(
    "udop",
    "UdopForConditionalGeneration",
    lambda: page_batch(bbox=torch.rand(BATCH, 16, 4), pixel_values=pictures(32), labels=tokens(12)),
    small(T5_SIZES | {"image_size": 32, "patch_size": 8, "num_decoder_layers": 2}),
    1e-3,
)


def patches_batch() -> dict[str, Any]:
    """Patches with their row and column in front."""
    cells = torch.arange(16)
    places = torch.stack([cells // 4 + 1.0, cells % 4 + 1.0], -1).expand(BATCH, 16, 2)
    return {"flattened_patches": torch.cat([places, torch.randn(BATCH, 16, 192)], -1), "labels": tokens(12)}


register(
    "pix2struct",
    "Pix2StructForConditionalGeneration",
    patches_batch,
    {
        "text_config": small({"num_layers": 2, "num_heads": 4, "d_kv": 16, "d_ff": 128, "decoder_start_token_id": 0}),
        "vision_config": small({"d_kv": 16, "d_ff": 128, "patch_embed_hidden_size": 192}),
    },
    1e-3,
)

# --- pictures and video ----------------------------------------------------------------------------


def staged(name: str, model: str, batch: Callable[[], dict[str, Any]], **settings: Any) -> None:
    register(name, model, batch, {"num_labels": CLASSES} | settings, 1e-3)


staged("bit", "BitForImageClassification", picture_batch, **PYRAMID, embedding_size=16, num_groups=4)
staged("regnet", "RegNetForImageClassification", picture_batch, **PYRAMID, embedding_size=16, groups_width=8)
staged(
    "imagegpt",
    "ImageGPTForImageClassification",
    class_batch,
    vocab_size=VOCABULARY + 1,
    n_positions=16,
    n_embd=64,
    n_layer=3,
    n_head=4,
)


def naive_resolution_batch() -> dict[str, Any]:
    return {
        "pixel_values": torch.randn(BATCH, 16, 192),
        "pixel_attention_mask": torch.ones(BATCH, 16, dtype=torch.long),
        "spatial_shapes": torch.tensor([[4, 4]] * BATCH),
        "labels": torch.arange(BATCH) % CLASSES,
    }


staged(
    "siglip2",
    "Siglip2ForImageClassification",
    naive_resolution_batch,
    vision_config=small({"num_patches": 16, "patch_size": 8}),
    text_config=small({}),
)


def clips(key: str, **extra: torch.Tensor) -> dict[str, Any]:
    return {key: pictures(32, BATCH * 4).unflatten(0, (BATCH, 4)), **extra}


headed(
    "vjepa2",
    "VJEPA2ForVideoClassification",
    lambda: clips("pixel_values_videos", labels=torch.arange(BATCH) % CLASSES),
    crop_size=32,
    patch_size=8,
    frames_per_clip=4,
    num_pooler_layers=1,
    pred_hidden_size=32,
    pred_num_attention_heads=4,
    pred_num_hidden_layers=2,
)


def hidden_patches_batch(count: int = 16) -> dict[str, Any]:
    return {"pixel_values": pictures(32), "bool_masked_pos": torch.rand(BATCH, count) > 0.5}


headed("vit-masked-image", "ViTForMaskedImageModeling", hidden_patches_batch, **VIT, encoder_stride=8)
staged(
    "swin-masked-image",
    "SwinForMaskedImageModeling",
    lambda: hidden_patches_batch(64),
    image_size=32,
    patch_size=4,
    embed_dim=16,
    depths=[1, 1],
    num_heads=[2, 2],
    window_size=4,
    encoder_stride=8,
)
DECODER = {
    "decoder_hidden_size": 32,
    "decoder_num_hidden_layers": 1,
    "decoder_num_attention_heads": 4,
    "decoder_intermediate_size": 64,
}
headed(
    "videomae-pretraining",
    "VideoMAEForPreTraining",
    lambda: clips("pixel_values", bool_masked_pos=(torch.arange(32) % 2 == 0).expand(BATCH, 32)),
    **VIT,
    **DECODER,
    num_frames=4,
)
staged(
    "hiera-masked-autoencoder",
    "HieraForPreTraining",
    lambda: {"pixel_values": pictures(64)},
    embed_dim=16,
    image_size=[64, 64],
    patch_stride=[4, 4],
    num_heads=[1, 2, 2, 2],
    depths=[1, 1, 1, 1],
    decoder_hidden_size=32,
    decoder_num_heads=4,
    decoder_depth=1,
)

# --- detection and masks ---------------------------------------------------------------------------


def masks_batch() -> dict[str, Any]:
    """Two masks a picture, each of a class of its own."""
    masks = F.interpolate((torch.rand(BATCH, 2, 4, 4) > 0.5).float(), size=(64, 64))
    return {"pixel_values": pictures(64), "mask_labels": list(masks), "class_labels": [torch.arange(2)] * BATCH}


LAYERS = {
    "d_model": 64,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 128,
    "num_queries": 8,
}
STAGES = BACKBONE | {"out_features": ["stage1", "stage2", "stage3", "stage4"]}
QUERIES = LAYERS | {
    "backbone_config": {
        "model_type": "rt_detr_resnet",
        **PYRAMID,
        "embedding_size": 16,
        "out_features": ["stage2", "stage3", "stage4"],
    },
    "encoder_in_channels": [32, 48, 64],
    "encoder_hidden_dim": 32,
    "decoder_in_channels": [32, 32, 32],
    "decoder_n_points": 2,
    "feat_strides": [8, 16, 32],
    "num_denoising": 4,
    "disable_custom_kernels": True,
}
HGNET = {
    "model_type": "hgnet_v2",
    "hidden_sizes": [16, 32, 48, 64],
    "stem_channels": [3, 8, 16],
    "stage_in_channels": [16, 16, 32, 48],
    "stage_mid_channels": [8, 8, 16, 16],
    "stage_out_channels": [16, 32, 48, 64],
    "stage_num_blocks": [1, 1, 1, 1],
    "stage_numb_of_layers": [2, 2, 2, 2],
    "embedding_size": 16,
    "depths": [1, 1, 1, 1],
    "out_features": ["stage2", "stage3", "stage4"],
}
staged("rt-detr", "RTDetrForObjectDetection", boxes_batch, **QUERIES)
staged("rt-detr-v2", "RTDetrV2ForObjectDetection", boxes_batch, **QUERIES)
staged(
    "d-fine",
    "DFineForObjectDetection",
    boxes_batch,
    **QUERIES | {"backbone_config": HGNET, "decoder_n_points": [2, 2, 2]},
)
staged(
    "maskformer",
    "MaskFormerForInstanceSegmentation",
    masks_batch,
    backbone_config=STAGES,
    decoder_config={"model_type": "detr", "backbone_config": BACKBONE, **LAYERS},
    fpn_feature_size=32,
    mask_feature_size=32,
)
staged(
    "mask2former",
    "Mask2FormerForUniversalSegmentation",
    masks_batch,
    backbone_config=STAGES,
    feature_size=32,
    mask_feature_size=32,
    hidden_dim=32,
    encoder_feedforward_dim=64,
    encoder_layers=2,
    decoder_layers=3,
    num_attention_heads=4,
    dim_feedforward=64,
    num_queries=8,
    train_num_points=64,
)
headed(
    "eomt",
    "EomtForUniversalSegmentation",
    masks_batch,
    image_size=64,
    patch_size=8,
    num_queries=8,
    num_blocks=1,
    num_upscale_blocks=1,
    train_num_points=64,
    num_register_tokens=2,
)

# --- text with pictures or sound -------------------------------------------------------------------


def objects_batch() -> dict[str, Any]:
    features = {"visual_feats": torch.randn(BATCH, 6, 32), "visual_pos": torch.rand(BATCH, 6, 4)}
    return class_batch() | features


def seen_batch() -> dict[str, Any]:
    return {
        "input_ids": tokens(),
        "attention_mask": torch.ones(BATCH, 16, dtype=torch.long),
        "visual_embeds": torch.randn(BATCH, 6, 32),
        "visual_attention_mask": torch.ones(BATCH, 6, dtype=torch.long),
        "visual_token_type_ids": torch.ones(BATCH, 6, dtype=torch.long),
        "labels": torch.randn(BATCH, CLASSES).softmax(-1),
    }


GROUPS = {"depths": [1, 1], "num_group_tokens": [4, 0], "num_output_groups": [4, 2]}
register(
    "groupvit",
    "GroupViTModel",
    contrastive_batch,
    TOWERS | {"vision_config": small(VIT | GROUPS), "projection_intermediate_dim": 32},
    1e-3,
)
register(
    "bridgetower",
    "BridgeTowerForContrastiveLearning",
    contrastive_batch,
    {
        "text_config": small({"type_vocab_size": 1}),
        "vision_config": small(VIT),
        "hidden_size": 64,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "intermediate_size": 128,
        "contrastive_hidden_size": 32,
        "logit_scale_init_value": 2.66,
    },
    1e-3,
)
headed(
    "lxmert",
    "LxmertForQuestionAnswering",
    objects_batch,
    num_hidden_layers=None,
    l_layers=2,
    x_layers=1,
    r_layers=1,
    visual_feat_dim=32,
    num_qa_labels=CLASSES,
)
headed("visual-bert", "VisualBertForQuestionAnswering", seen_batch, visual_embedding_dim=32)


def heard_batch() -> dict[str, Any]:
    sounds = {"input_features": torch.randn(BATCH, 1, 256, 16), "is_longer": torch.zeros(BATCH, 1, dtype=torch.bool)}
    return {"input_ids": tokens(), "return_loss": True, **sounds}


SPECTROGRAM = {
    "spec_size": 64,
    "num_mel_bins": 16,
    "window_size": 4,
    "patch_size": 4,
    "patch_stride": [4, 4],
    "depths": [1, 1],
    "num_attention_heads": [2, 2],
    "hidden_size": 32,
    "patch_embeds_hidden_size": 16,
    "projection_dim": 32,
    "num_classes": CLASSES,
}
register(
    "clap",
    "ClapModel",
    heard_batch,
    {"text_config": small({"projection_dim": 32}), "audio_config": SPECTROGRAM, "projection_dim": 32},
    1e-3,
)
register(
    "sew-d",
    "SEWDForCTC",
    speech_batch,
    small(CONVOLUTIONS | {"squeeze_factor": 1, "pos_att_type": ["p2c", "c2p"]}),
    1e-3,
)


def codes_batch() -> dict[str, Any]:
    """Two streams of codes: rows of the batch as inputs, a last axis as labels."""
    codes = torch.randint(3, 99, (BATCH, 2, 16))
    return {"input_ids": codes.flatten(0, 1), "labels": codes.transpose(1, 2)}


headed("musicgen-decoder", "MusicgenForCausalLM", codes_batch, num_codebooks=2, ffn_dim=128)
staged(
    "patchtst-pretraining",
    "PatchTSTForPretraining",
    lambda: {"past_values": (torch.arange(32)[:, None] * torch.rand(8, 1, 3)).sin()},
    context_length=32,
    num_input_channels=3,
    patch_length=8,
    patch_stride=8,
    d_model=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    ffn_dim=64,
)


@architecture("decision-transformer", LIBRARY)
def decision_transformer() -> Built:
    def imitate(model: torch.nn.Module, batch: dict[str, Any]) -> torch.Tensor:
        return F.mse_loss(model(**batch).action_preds, batch["actions"])

    sizes = {"state_dim": 5, "act_dim": 3, "hidden_size": 64, "n_layer": 2, "n_head": 4, "max_ep_len": 32}
    batch = {
        "states": torch.randn(BATCH, 8, 5),
        "actions": torch.rand(BATCH, 8, 3) - 0.5,
        "rewards": torch.randn(BATCH, 8, 1),
        "returns_to_go": torch.randn(BATCH, 8, 1),
        "timesteps": torch.arange(8).expand(BATCH, 8),
        "attention_mask": torch.ones(BATCH, 8),
    }
    return build_model("DecisionTransformerModel", sizes), batch, imitate


@architecture("swin2sr", LIBRARY)
def super_resolution() -> Built:
    def restore(model: torch.nn.Module, batch: dict[str, Any]) -> torch.Tensor:
        return F.l1_loss(model(batch["small"]).reconstruction, batch["large"])

    sizes = {"image_size": 16, "embed_dim": 32, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4, "upscale": 2}
    large = pictures(32).sigmoid()
    return (
        build_model("Swin2SRForImageSuperResolution", sizes),
        {"small": large[..., ::2, ::2], "large": large},
        restore,
    )


# --- at the size that they were published with -----------------------------------------------------


def published(name: str, model: str, batch: Callable[[torch.Tensor], dict[str, Any]]) -> None:
    """The library's default sizes, on sentences of 32 tokens from the whole vocabulary."""

    @architecture(f"{name}-published", LIBRARY, 1e-4, published=True)
    def build() -> Built:
        return build_model(model, {}), batch(torch.randint(1000, 28000, (BATCH, 32))), own_loss


def hide(ids: torch.Tensor) -> dict[str, Any]:
    chosen = torch.rand(ids.shape) < 0.15
    return {"input_ids": ids.masked_fill(chosen, 103), "labels": ids.masked_fill(~chosen, -100)}


published("bert-base", "BertForMaskedLM", hide)
published("gpt2-small", "GPT2LMHeadModel", lambda ids: {"input_ids": ids, "labels": ids.clone()})
