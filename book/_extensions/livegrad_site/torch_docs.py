"""Where torch's documentation describes a name.

The lists hold what the chapters and modules use and what is close to it; what is in none of them gets no link. torch is
not imported, which would cost each build seconds: a test does it, and asks whether every name of the lists exists.
"""

from __future__ import annotations

from collections.abc import Iterator

SITE = "https://docs.pytorch.org/docs/stable/"

# Names with a page of their own, by module.
GENERATED = {
    "torch": """
        abs acos acosh add addcdiv addcmul addmm allclose arange argmax argmin as_tensor baddbmm bernoulli bincount bmm
        cartesian_prod cat cdist chunk clamp compile corrcoef cos cosh cummax cumprod cumsum deg2rad diag diagonal
        digamma div dot einsum empty empty_like enable_grad equal erf erfc erfinv exp expm1 eye flatten flip
        floor frombuffer from_numpy full full_like gather Generator get_default_dtype get_num_threads get_rng_state
        heaviside histc hypot inference_mode initial_seed is_floating_point is_grad_enabled is_tensor isclose isfinite
        isinf isnan lerp linspace load log log10 log1p log2 logaddexp logspace logsumexp manual_seed masked_select
        matmul maximum mean median meshgrid minimum mm mul multinomial mv neg no_grad nonzero norm normal numel ones
        ones_like outer pca_lowrank pow prod promote_types quantile rand rand_like randint randint_like randn randn_like
        randperm reciprocal repeat_interleave reshape roll round rsqrt save searchsorted seed set_default_dtype
        set_grad_enabled set_num_threads set_printoptions set_rng_state sigmoid sign sin sinh softmax sort split sqrt
        square squeeze stack std sub sum tan tanh tensor tensordot topk trace transpose tril triu unbind unique
        unsqueeze use_deterministic_algorithms var view_as_real where zeros zeros_like""",
    "torch.autograd": "backward grad",
    "torch.autograd.functional": "hessian hvp jacobian jvp vhp vjp",
    "torch.compiler": "is_compiling set_stance",
    "torch.func": "functional_call grad grad_and_value hessian jacfwd jacrev jvp linearize stack_module_state vjp vmap",
    "torch.linalg": """
        cond det eigh eig eigvals eigvalsh inv lstsq matrix_norm matrix_rank norm pinv qr slogdet solve svd svdvals
        vector_norm""",
    "torch.nn": """
        AdaptiveAvgPool2d AlphaDropout AvgPool1d AvgPool2d BCELoss BCEWithLogitsLoss BatchNorm1d BatchNorm2d CELU Conv1d
        Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d CrossEntropyLoss Dropout Dropout2d ELU Embedding
        Flatten GELU GLU GRU GRUCell GroupNorm Hardsigmoid Hardswish Hardtanh Identity InstanceNorm2d LSTM LSTMCell
        LayerNorm LeakyReLU Linear LogSigmoid LogSoftmax MSELoss MaxPool1d MaxPool2d Mish Module ModuleDict ModuleList
        MultiheadAttention PReLU ParameterDict ParameterList RMSNorm RNN RNNCell RReLU ReLU ReLU6 SELU Sequential SiLU
        Sigmoid Softmax Softplus Softsign Tanh Threshold TransformerEncoderLayer Unflatten""",
    "torch.nn.functional": """
        adaptive_avg_pool2d alpha_dropout avg_pool1d avg_pool2d batch_norm binary_cross_entropy
        binary_cross_entropy_with_logits celu conv1d conv2d conv3d conv_transpose1d conv_transpose2d cosine_similarity
        cross_entropy dropout elu embedding gelu glu group_norm hardsigmoid hardswish hardtanh instance_norm layer_norm
        leaky_relu linear log_softmax logsigmoid max_pool1d max_pool2d mish mse_loss nll_loss normalize one_hot pad
        prelu relu relu6 rms_norm rrelu scaled_dot_product_attention selu sigmoid silu softmax softplus softsign tanh
        threshold unfold""",
    "torch.nn.parameter": "Parameter UninitializedParameter",
    "torch.nn.utils": "clip_grad_norm_ clip_grad_value_ parameters_to_vector vector_to_parameters",
    "torch.optim": """
        ASGD Adadelta Adafactor Adagrad Adam AdamW Adamax LBFGS Muon NAdam RAdam RMSprop Rprop SGD SparseAdam""",
    "torch.optim.lr_scheduler": """
        ConstantLR CosineAnnealingLR CosineAnnealingWarmRestarts CyclicLR ExponentialLR LambdaLR LinearLR MultiStepLR
        OneCycleLR PolynomialLR ReduceLROnPlateau SequentialLR StepLR""",
}
# Names described on a page together with others, under an anchor that is the name: by page and module.
SHARED = {
    ("autograd", "torch.autograd"): "Function",
    ("autograd", "torch.autograd.graph"): "saved_tensors_hooks",
    ("nn.init", "torch.nn.init"): """
        calculate_gain constant_ dirac_ eye_ kaiming_normal_ kaiming_uniform_ normal_ ones_ orthogonal_ sparse_
        trunc_normal_ uniform_ xavier_normal_ xavier_uniform_ zeros_""",
    ("optim", "torch.optim"): "Optimizer",
    ("random", "torch.random"): "fork_rng",
    ("special", "torch.special"): "erfc expit log_ndtr ndtr",
    ("tensor_attributes", "torch"): "device dtype",
    ("tensors", "torch"): "Tensor",
    ("testing", "torch.testing"): "assert_close",
    ("type_info", "torch"): "finfo iinfo",
}
# Names that are described under another one.
OTHERWISE = {
    "torch.nn.Parameter": "torch.nn.parameter.Parameter",
    "torch.nn.UninitializedParameter": "torch.nn.parameter.UninitializedParameter",
    **{f"torch.{name}": f"torch.nn.functional.{name}" for name in
       ("conv1d", "conv2d", "cosine_similarity", "log_softmax", "relu", "selu", "softmax")},
    **{f"torch.{name}": "torch.dtype" for name in
       ("bfloat16", "bool", "float16", "float32", "float64", "int32", "int64", "long", "uint8")},
}  # fmt: skip
# The pages of modules.
MODULES = {
    "torch": "torch",
    "torch.autograd": "autograd",
    "torch.func": "func.api",
    "torch.linalg": "linalg",
    "torch.nn": "nn",
    "torch.nn.functional": "nn.functional",
    "torch.nn.init": "nn.init",
    "torch.optim": "optim",
    "torch.special": "special",
    "torch.testing": "testing",
}


def pages() -> Iterator[tuple[str, str]]:
    for module, names in GENERATED.items():
        yield from ((f"{module}.{name}", f"{SITE}generated/{module}.{name}.html") for name in names.split())
    for (page, module), names in SHARED.items():
        yield from ((f"{module}.{name}", f"{SITE}{page}.html#{module}.{name}") for name in names.split())


OBJECTS = dict(pages())
OBJECTS |= {name: OBJECTS[other] for name, other in OTHERWISE.items()}
MODULE_PAGES = {name: f"{SITE}{page}.html" for name, page in MODULES.items()}
