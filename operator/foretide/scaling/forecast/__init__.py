"""What demand comes, with its uncertainty.

    Readings    -> history.History   quarter minutes, minutes, a fortnight
    History     -> features.Scene    ratios to the present level
    Scene       -> model.GlobalModel, voices.points -> quantiles of the coming maximum, one voice each
    quantiles   -> calibration.Calibration -> corrected by what came, weighted by how well each voice did
    all of it   -> sight.look        -> Foresight, and the Sight that is remembered

A forecast adds capacity to what the load of now needs and never takes any of that away. Where it is trusted it also
says what comes after, and the hold is short; where it is not (`Trust`), the decision is reactive, with the
administrator's hold.
"""
