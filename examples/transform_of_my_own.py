"""How do I try out a disturbance that nobody thought of?"""

import napari_sam2_probe as sp


@sp.register_transform
class Dusk(sp.Transform):
    """The light goes out, and on again; the object never leaves."""

    name = "dusk"
    title = "Dusk"
    description = "the frames of the interjection at an eighth of their brightness"

    def render(self, recipe, footage, options):
        """Return the base, dark in the interjection."""
        clip = sp.base_clip(footage, recipe)
        frames = clip.frames.copy()
        frames[list(recipe.interjection)] //= 8
        return clip.with_frames(frames)


clip, twin = sp.make_clip(sp.sample_video("cameraman"), "dusk", lengths=(4, 4, 4))
model = sp.load_model("sample")
run = sp.track(clip, model=model)
comparison = sp.compare(run, sp.track(twin, model=model))
print(comparison.iou.round(2).to_string())
run.plot.filmstrip(6).savefig("transform_of_my_own.png")
