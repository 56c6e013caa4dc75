"""How do I track, see where it goes wrong, and correct it there?"""

import napari_sam2_probe as sp

video = sp.sample_video("astronaut")


def score(step):
    """Return J, the IoU with the true mask."""
    mask, true = step.masks[1], video.object_mask(step.frame, 1)
    return f"frame {step.frame}: J {(mask & true).sum() / (mask | true).sum():.2f}"


with sp.session(video, model="sample") as session:
    print("one click, ", score(session.prompt(sp.points((223, 180)))))

    for step in session.propagate():
        print(score(step))
        if step.frame == 3:
            break  # Tracking waits at any frame, for as long as you like.

    painted = video.object_mask(3, 1)  # The true mask stands for one that you paint; clicks and boxes do likewise.
    print("a mask,    ", score(session.prompt(sp.mask(painted, frame=3))))
    print("undone,    ", score(session.undo()))
    print("done again,", score(session.redo()))

    for step in session.propagate(end=7):
        print(score(step))  # It goes on from the correction.

    run = session.run
    print("prompted on", run.prompted.sel(object=1).values.nonzero()[0])
    run.plot.filmstrip(4).savefig("prompt_and_correct.png")
