from django.db import migrations

NAME = "audittrail_head_article_id_f3bc68e8_like"


class Migration(migrations.Migration):
    """Django adds an index for LIKE to a text that is unique. Under collation C the primary key's serves LIKE as well,
    and each change of an article writes to it.
    """

    dependencies = [("audittrail", "0004_alter_head_leaves")]

    operations = [
        migrations.RunSQL(
            f"DROP INDEX IF EXISTS {NAME}", f"CREATE INDEX {NAME} ON audittrail_head (article_id text_pattern_ops)"
        )
    ]
