"""Quick reading gives what Django REST framework's own loop gives."""

from types import SimpleNamespace

import pytest
from rest_framework import serializers

from api.core.reading import FastSerializerMixin
from images.serializers import ImageSerializer, UploadedImageSerializer
from tests.factories import make_image

OWN_WAY = serializers.Serializer.to_representation


class InnerSerializer(serializers.Serializer):
    number = serializers.FloatField()


class SomeSerializer(FastSerializerMixin, serializers.Serializer):
    name = serializers.CharField()
    secret = serializers.CharField(write_only=True)
    deep = serializers.IntegerField(source="inner.number")
    inner = InnerSerializer(allow_null=True)
    many = InnerSerializer(source="all", many=True)
    called = serializers.CharField(source="method")
    absent = serializers.CharField(required=False)
    asked = serializers.SerializerMethodField()

    def get_asked(self, _instance):
        return self.context["asked"]


def thing():
    inner = SimpleNamespace(number=2)
    return SimpleNamespace(name=7, inner=inner, all=[inner, {"number": 3}], method=lambda: "result")


@pytest.mark.django_db
@pytest.mark.parametrize("serializer", [ImageSerializer, UploadedImageSerializer])
def test_image_reads_as_by_the_own_loop(serializer):
    image = make_image()
    image.duplicate = True
    image.issues = [{"code": "a", "measure": "b", "value": 1, "threshold": 2, "explanation": "c", "more": 5}]
    quick = serializer(image, context={"sees_gps": True})

    assert list(quick.data.items()) == list(OWN_WAY(quick, image).items())


def test_every_kind_of_field_reads_as_by_the_own_loop():
    quick = SomeSerializer(thing(), context={"asked": 1})

    assert quick.data == OWN_WAY(quick, thing())
    assert quick.data == {
        "name": "7",
        "deep": 2,
        "inner": {"number": 2.0},
        "many": [{"number": 2.0}, {"number": 3.0}],
        "called": "result",
        "asked": 1,
    }


def test_context_of_one_answer_is_not_kept_for_the_next():
    answers = [SomeSerializer(thing(), context={"asked": n}).data["asked"] for n in (1, 2)]

    assert answers == [1, 2]


def test_dictionary_reads_like_an_object():
    quick = SomeSerializer(vars(thing()), context={"asked": 1})

    assert quick.data == OWN_WAY(quick, vars(thing()))
