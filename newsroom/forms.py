"""The form in which an article is written, and the questions asked before its status changes."""

from typing import TYPE_CHECKING, Any

from django import forms
from django_prose_editor.fields import ProseEditorFormField
from django_prose_editor.widgets import AdminProseEditorWidget
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from newsroom.body import EXTENSIONS, sanitiser
from newsroom.models import Article, BodyFormat
from newsroom.validators import too_long

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Article]
else:
    ModelForm = forms.ModelForm


class ArticleForm(ModelForm):
    """An HTML body has the rich editor and is sanitised; a plain one keeps every character that was not edited."""

    class Meta:
        model = Article
        fields = ("headline", "standfirst", "body", "slug", "section", "tags")
        widgets = {
            "headline": UnfoldAdminTextInputWidget(attrs={"style": "max-width: none"}),
            "standfirst": UnfoldAdminTextareaWidget(attrs={"rows": 3, "style": "max-width: none"}),
        }
        error_messages = {"headline": {"max_length": too_long("headline")}}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "body" in self.fields:
            self.fields["body"] = _plain_body() if self._is_plain else _rich_body()
        for name in ("headline", "standfirst", "body"):
            if name in self.fields:
                nul = f"The {name} contains a NUL character. Remove it."
                self.fields[name].error_messages["null_characters_not_allowed"] = nul

    @property
    def _is_plain(self) -> bool:
        return self.instance.body_format == BodyFormat.PLAIN

    def clean_body(self) -> str:
        """Browsers send every line end as CR LF."""
        body: str = self.cleaned_data["body"]
        if not self._is_plain:
            return body
        text, stored = _newlines(body), self.instance.body
        return stored if text == _newlines(stored) else text


class TransitionForm(BaseDialogForm):  # type: ignore[misc]  # the theme brings no types
    """Asks whether to go on."""


class ScheduleForm(BaseDialogForm):  # type: ignore[misc]  # the theme brings no types
    """Asks when."""

    at = forms.DateTimeField(label="Publish at", widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}))


def _rich_body() -> forms.Field:
    field: forms.Field = ProseEditorFormField(
        config={"extensions": EXTENSIONS}, sanitize=sanitiser(), widget=AdminProseEditorWidget, required=False
    )
    return field


def _plain_body() -> forms.Field:
    widget = UnfoldAdminTextareaWidget(
        attrs={"rows": 30, "style": "font-family: monospace; max-width: none", "spellcheck": "false"}
    )
    return forms.CharField(widget=widget, required=False, strip=False, help_text="Plain text, as it was imported.")


def _newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
