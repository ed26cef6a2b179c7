"""Hugging Face transformers: text, vision, audio, video, series and their mixtures, with their own losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .registry import Built, architecture

LIBRARY = "transformers"
VOCABULARY, BATCH, LENGTH = 100, 4, 16

# Configurations know the same size by many names; one that does not know a name ignores it.
SMALL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
Batch = Callable[[], dict[str, Any]]


def own_loss(model: torch.nn.Module, batch: dict[str, Any]) -> torch.Tensor:
    """The loss that the library computes from the labels."""
    return model(**batch).loss


def build_model(model: str, settings: dict[str, Any]) -> torch.nn.Module:
    """A model with random weights, in training mode."""
    import transformers

    cls = getattr(transformers, model)
    return cls(cls.config_class(**settings)).train()


def register(name: str, model: str, batch: Batch, settings: dict[str, Any], learning_rate: float) -> None:
    @architecture(name, LIBRARY, learning_rate)
    def build() -> Built:
        return build_model(model, settings), batch(), own_loss


def tokens(length: int = LENGTH) -> torch.Tensor:
    return torch.randint(3, VOCABULARY, (BATCH, length))


# --- language models ---------------------------------------------------------------------------


def causal_batch() -> dict[str, Any]:
    ids = tokens()
    return {"input_ids": ids, "labels": ids.clone()}


def masked_batch(length: int = LENGTH) -> dict[str, Any]:
    """Fifteen percent of the tokens are masked and have to be found."""
    ids, chosen = tokens(length), torch.rand(BATCH, length) < 0.15
    chosen[:, 1] = True
    labels = ids.masked_fill(~chosen, -100)
    return {"input_ids": ids.masked_fill(chosen, 3), "attention_mask": torch.ones_like(ids), "labels": labels}


def small(settings: dict[str, Any]) -> dict[str, Any]:
    """The small sizes, with a model's own; None drops a size that the model refuses."""
    return {key: value for key, value in (SMALL | settings).items() if value is not None}


def causal(name: str, model: str, learning_rate: float = 1e-3, **settings: Any) -> None:
    register(name, model, causal_batch, small(settings), learning_rate)


def masked(name: str, model: str, learning_rate: float = 1e-3, length: int = LENGTH, **settings: Any) -> None:
    register(name, model, lambda: masked_batch(length), small(settings), learning_rate)


MOE = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 64}
HEADS_16 = {"head_dim": 16}

causal("gpt", "OpenAIGPTLMHeadModel")
causal("gpt2", "GPT2LMHeadModel")
causal("gpt-bigcode", "GPTBigCodeForCausalLM")
causal("gpt-j", "GPTJForCausalLM", rotary_dim=8)
causal("gpt-neo", "GPTNeoForCausalLM", num_hidden_layers=2, attention_types=[[["global", "local"], 1]])
causal("gpt-neox", "GPTNeoXForCausalLM")
causal("gpt-oss", "GptOssForCausalLM", **MOE, **HEADS_16)
causal("codegen", "CodeGenForCausalLM", rotary_dim=8)
causal("ctrl", "CTRLLMHeadModel")
causal("xlnet", "XLNetLMHeadModel", max_position_embeddings=None, d_head=16)
causal("opt", "OPTForCausalLM", ffn_dim=128, word_embed_proj_dim=64)
causal("bloom", "BloomForCausalLM")
causal("biogpt", "BioGptForCausalLM")
causal("xglm", "XGLMForCausalLM", ffn_dim=128)
causal("llama", "LlamaForCausalLM")
causal("mistral", "MistralForCausalLM")
causal("mixtral", "MixtralForCausalLM", **MOE)
causal("qwen2", "Qwen2ForCausalLM")
causal("qwen2-moe", "Qwen2MoeForCausalLM", **MOE, shared_expert_intermediate_size=64)
causal("qwen3", "Qwen3ForCausalLM", **HEADS_16)
causal("qwen3-moe", "Qwen3MoeForCausalLM", **MOE, **HEADS_16)
causal("gemma", "GemmaForCausalLM", **HEADS_16)
causal("gemma2", "Gemma2ForCausalLM", **HEADS_16)
causal("gemma3", "Gemma3ForCausalLM", **HEADS_16)
causal("phi", "PhiForCausalLM")
causal("phi3", "Phi3ForCausalLM")
causal("phimoe", "PhimoeForCausalLM", **MOE)
causal("falcon", "FalconForCausalLM")
causal("mpt", "MptForCausalLM", d_model=64, n_heads=4, n_layers=3)
causal("persimmon", "PersimmonForCausalLM")
causal("stablelm", "StableLmForCausalLM")
causal("starcoder2", "Starcoder2ForCausalLM")
causal("cohere", "CohereForCausalLM", 5e-3)  # it scales the logits by 1/16
causal("cohere2", "Cohere2ForCausalLM", 5e-3)
causal("olmo", "OlmoForCausalLM")
causal("olmo2", "Olmo2ForCausalLM")
causal("olmoe", "OlmoeForCausalLM", **MOE)
causal("granite", "GraniteForCausalLM")
causal("granitemoe", "GraniteMoeForCausalLM", **MOE)
causal("glm", "GlmForCausalLM", **HEADS_16)
causal("glm4", "Glm4ForCausalLM", **HEADS_16)
causal("smollm3", "SmolLM3ForCausalLM")
causal("nemotron", "NemotronForCausalLM")
causal("arcee", "ArceeForCausalLM")
causal("bitnet", "BitNetForCausalLM")
causal("diffllama", "DiffLlamaForCausalLM")
causal("doge", "DogeForCausalLM")
causal("helium", "HeliumForCausalLM", **HEADS_16)
causal("exaone4", "Exaone4ForCausalLM")
causal("modernbert-decoder", "ModernBertDecoderForCausalLM")
causal(
    "deepseek-v2",
    "DeepseekV2ForCausalLM",
    **MOE,
    kv_lora_rank=16,
    q_lora_rank=16,
    qk_rope_head_dim=8,
    qk_nope_head_dim=8,
    v_head_dim=16,
    n_routed_experts=4,
    n_group=1,
    topk_group=1,
    first_k_dense_replace=1,
)
causal(
    "deepseek-v3",
    "DeepseekV3ForCausalLM",
    **MOE,
    kv_lora_rank=16,
    q_lora_rank=16,
    qk_rope_head_dim=8,
    qk_nope_head_dim=8,
    v_head_dim=16,
    n_routed_experts=4,
    n_group=1,
    topk_group=1,
    first_k_dense_replace=1,
)
causal("mamba", "MambaForCausalLM", state_size=8)
causal("mamba2", "Mamba2ForCausalLM", state_size=8, num_heads=8, head_dim=16, n_groups=1, chunk_size=8)
causal("falcon-mamba", "FalconMambaForCausalLM", state_size=8)
causal("rwkv", "RwkvForCausalLM", attention_hidden_size=64)
causal("recurrent-gemma", "RecurrentGemmaForCausalLM", lru_width=64, attention_window_size=16)
causal(
    "jamba",
    "JambaForCausalLM",
    **MOE,
    mamba_d_state=8,
    attn_layer_period=2,
    attn_layer_offset=1,
    use_mamba_kernels=False,
)
causal(
    "bamba",
    "BambaForCausalLM",
    mamba_n_heads=8,
    mamba_d_head=16,
    mamba_d_state=8,
    mamba_chunk_size=8,
    attn_layer_indices=[1],
)
causal("lfm2", "Lfm2ForCausalLM")
causal(
    "granite-hybrid",
    "GraniteMoeHybridForCausalLM",
    **MOE,
    mamba_n_heads=8,
    mamba_d_head=16,
    mamba_d_state=8,
    layer_types=["mamba", "attention", "mamba"],
    shared_intermediate_size=64,
)
causal(
    "qwen3-next",
    "Qwen3NextForCausalLM",
    num_hidden_layers=4,
    **MOE,
    **HEADS_16,
    shared_expert_intermediate_size=64,
    linear_num_value_heads=4,
    linear_num_key_heads=2,
    linear_key_head_dim=16,
    linear_value_head_dim=16,
)
causal("minimax", "MiniMaxForCausalLM", **MOE, block_size=8)
causal("apertus", "ApertusForCausalLM")
causal("jetmoe", "JetMoeForCausalLM", **MOE, kv_channels=16)

masked("bert", "BertForMaskedLM")
masked("roberta", "RobertaForMaskedLM")
masked("roberta-prelayernorm", "RobertaPreLayerNormForMaskedLM")
masked("xlm-roberta-xl", "XLMRobertaXLForMaskedLM")
masked("camembert", "CamembertForMaskedLM")
masked("albert", "AlbertForMaskedLM", embedding_size=32)
masked("electra", "ElectraForMaskedLM", embedding_size=32)
masked("distilbert", "DistilBertForMaskedLM", dim=64, n_layers=3, n_heads=4, hidden_dim=128)
masked("deberta", "DebertaForMaskedLM", relative_attention=True, pos_att_type=["c2p", "p2c"])
masked("deberta-v2", "DebertaV2ForMaskedLM", relative_attention=True, pos_att_type=["c2p", "p2c"])
masked("mobilebert", "MobileBertForMaskedLM", embedding_size=32, intra_bottleneck_size=32, true_hidden_size=32)
masked("mpnet", "MPNetForMaskedLM")
masked("convbert", "ConvBertForMaskedLM", embedding_size=32)
masked("squeezebert", "SqueezeBertForMaskedLM", embedding_size=64)
masked(
    "funnel",
    "FunnelForMaskedLM",
    num_hidden_layers=None,
    d_model=64,
    n_head=4,
    d_head=16,
    d_inner=128,
    block_sizes=[1, 1],
)
masked("longformer", "LongformerForMaskedLM", attention_window=8)
masked("big-bird", "BigBirdForMaskedLM", attention_type="original_full")
masked("nystromformer", "NystromformerForMaskedLM", segment_means_seq_len=16, num_landmarks=4)
masked("fnet", "FNetForMaskedLM")
masked("yoso", "YosoForMaskedLM", use_expectation=True)
masked("roformer", "RoFormerForMaskedLM", embedding_size=64)
masked("ibert", "IBertForMaskedLM")
masked("megatron-bert", "MegatronBertForMaskedLM")
masked("data2vec-text", "Data2VecTextForMaskedLM")
masked("esm", "EsmForMaskedLM", mask_token_id=3, position_embedding_type="rotary")
masked("ernie", "ErnieForMaskedLM")
masked("rembert", "RemBertForMaskedLM", input_embedding_size=32, output_embedding_size=32)
masked("modernbert", "ModernBertForMaskedLM", cls_token_id=1, sep_token_id=2)
masked("xmod", "XmodForMaskedLM", default_language="en_XX")
masked("eurobert", "EuroBertForMaskedLM")
masked("nomic-bert", "NomicBertForMaskedLM")
masked("luke", "LukeForMaskedLM", entity_vocab_size=10, entity_emb_size=16)
masked(
    "perceiver",
    "PerceiverForMaskedLM",
    length=64,
    num_latents=16,
    d_latents=64,
    d_model=32,
    num_blocks=1,
    num_self_attends_per_block=2,
    num_self_attention_heads=4,
    num_cross_attention_heads=4,
)
masked(
    "reformer",
    "ReformerForMaskedLM",
    is_decoder=False,
    attn_layers=["local", "local"],
    attention_head_size=16,
    feed_forward_size=128,
    axial_pos_embds=False,
    local_attn_chunk_length=8,
    hidden_dropout_prob=0.0,  # it would draw from a seed of its own at each forward
    local_attention_probs_dropout_prob=0.0,
)
