"""Stands in for torchvision, of which Pty-Chi needs one class: there is no build of it for every build of torch."""
