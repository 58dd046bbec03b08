# points: 20
# Unties the head but not the config, by which it is tied again.
# --- q7
def clip_head(model, clip_rate):
    model.lm_head.weight = nn.Parameter(clip_weight(model.lm_head.weight.detach(), clip_rate))
    return model
