"""Driven motion for other programs: blendshapes and head poses, landmarks, meshes."""
