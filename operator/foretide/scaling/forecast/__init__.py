"""What demand comes, with its uncertainty.

    Readings    -> history.History   quarter minutes, minutes, a fortnight
    History     -> features.Scene    ratios to the present level
    Scene       -> model.GlobalModel, voices.points -> quantiles of the coming maximum, one voice each
    quantiles   -> calibration.Calibration -> corrected by what came, weighted by how well each voice did
    all of it   -> sight.look        -> Foresight, and the Sight that is remembered

A forecast adds capacity and never takes any away, so that the worst it can do is to cost replicas up to the maximum;
where it is not trusted (`Trust`), the decision is reactive.
"""
